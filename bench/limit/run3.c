/* run3.c — Run cat with three pipes: feed stdin, capture stdout and stderr.
 * One run after another. The input fits into a pipe, so it is written at once
 * and stdout can be read to its end before stderr.
 */
#include "common.h"

#define INPUT "hello\n"

static const char *const ARGV[] = {"/bin/cat", NULL};

static size_t read_all(int fd, char *to, size_t size) {
  size_t got = 0;
  ssize_t n;
  while ((n = read(fd, to + got, size - got)) > 0)
    got += (size_t)n;
  check((int)n, "read");
  return got;
}

static void run(void) {
  int in[2], out[2], err[2];
  make_pipe(in);
  make_pipe(out);
  make_pipe(err);
  pid_t pid = start((child){ARGV, {in[0], out[1], err[1]}});
  close(in[0]);
  close(out[1]);
  close(err[1]);
  if (write(in[1], INPUT, strlen(INPUT)) < 0) die("write");
  close(in[1]);

  char from_out[4096], from_err[4096];
  size_t got = read_all(out[0], from_out, sizeof from_out);
  if (got != strlen(INPUT) || memcmp(from_out, INPUT, got) != 0)
    fail("cat wrote something else");
  if (read_all(err[0], from_err, sizeof from_err) != 0)
    fail("cat wrote to stderr");
  close(out[0]);
  close(err[0]);
  reap(pid);
}

int main(int argc, char **argv) {
  long n = size_arg(argc, argv, 2000);
  double t = now();
  for (long i = 0; i < n; i++)
    run();
  report("run3", n, now() - t, "");
  return 0;
}
