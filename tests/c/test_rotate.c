/* tests/c/test_rotate.c — The files of a log: open, rotated, read from the
 * end. */
#include "os/fd.h"
#include "os/logfile.h"
#include "os/rotate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tap.h"

static void put(const char *name, const char *text) {
  FILE *f = fopen(name, "w");
  if (f == NULL) abort();
  fputs(text, f);
  fclose(f);
}

static const char *get(const char *name) {
  static char text[4096];
  FILE *f = fopen(name, "r");
  if (f == NULL) return NULL;
  text[fread(text, 1, sizeof text - 1, f)] = '\0';
  fclose(f);
  return text;
}

static bool there(const char *name) {
  struct stat st;
  return lstat(name, &st) == 0;
}

static void clean(void) {
  static const char *const names[] = {
      "log",      "log.1",    "log.2",    "log.3",      "log.4", "log.5",
      "log.1.gz", "log.2.gz", "log.3.gz", "log.gz.tmp", "other"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    unlink(names[i]);
}

static const lv_rotate_rules two = {.keep = 2}, five = {.keep = 5};

static void numbers_grow_and_the_oldest_goes(void) {
  for (int i = 1; i <= 4; i++) {
    char text[2] = {(char)('0' + i), 0};
    put("log", text);
    is_int(lv_rotate("log", &two), 0, "rotated");
    ok(!there("log"), "it is free for the next");
  }
  is_str(get("log.1"), "4", "the newest");
  is_str(get("log.2"), "3", "the one before");
  ok(!there("log.3"), "no more");
  clean();
}

static void compressed_ones_keep_their_form(void) {
  put("log", "c");
  put("log.1", "b");
  put("log.2.gz", "a");
  is_int(lv_rotate("log", &five), 0, "rotated");
  is_str(get("log.1"), "c", "newest");
  is_str(get("log.2"), "b", "plain");
  is_str(get("log.3.gz"), "a", "compressed");
  clean();
}

static void a_missing_number_is_filled(void) {
  put("log", "c");
  put("log.1", "b");
  put("log.3", "a");
  is_int(lv_rotate("log", &five), 0, "rotated");
  is_str(get("log.2"), "b", "the second was missing");
  is_str(get("log.3"), "a", "the third stays");
  clean();
}

static void none_is_kept_where_none_should_be(void) {
  const lv_rotate_rules zero = {.keep = 0};
  put("log", "b");
  put("log.1", "a");
  is_int(lv_rotate("log", &zero), 0, "rotated");
  ok(!there("log") && !there("log.1"), "all are gone");
  clean();
}

static void the_total_is_kept_to(void) {
  const lv_rotate_rules rules = {.keep = 5, .total = 25, .own = 10};
  put("log", "0123456789");
  put("log.1", "0123");
  put("log.2", "01");
  put("log.3", "0");
  is_int(lv_rotate("log", &rules), 0, "rotated");
  ok(there("log.1") && there("log.2"), "10 + 10 + 4 is not more");
  ok(!there("log.3") && !there("log.4"), "with the next it would be");
  clean();
}

static void it_fails_without_harm(void) {
  put("log.1", "a");
  is_int(lv_rotate("log", &five), -ENOENT, "there is no log");
  is_str(get("log.2"), "a", "the others may have moved");
  is_int(lv_rotate("no/such/log", &five), -ENOENT, "nor a folder");
  clean();
}

static void a_compressed_one_finds_its_place(void) {
  struct stat st;
  put("log", "newer");
  put("log.1", "old");
  if (stat("log.1", &st) == -1) abort();
  is_int(lv_rotate("log", &five), 0, "it becomes the second meanwhile");
  put("log.gz.tmp", "small");
  is_int(lv_rotate_compressed("log", "log.gz.tmp", st.st_dev, st.st_ino), 0,
         "put in its place");
  is_str(get("log.2.gz"), "small", "there it is");
  ok(!there("log.2") && !there("log.gz.tmp"), "and nothing else");
  is_str(get("log.1"), "newer", "the other is as it was");
  is_int(lv_rotate_compressed("log", "log.gz.tmp", st.st_dev, st.st_ino),
         -ENOENT, "once");
  clean();
}

/* ---- the last lines ---- */

static const char *tail(size_t lines, size_t most, unsigned *number,
                        size_t *left) {
  static char text[8192];
  lv_tail got;
  const lv_tail_order order = {
      .name = "log", .lines = lines, .most = most, .fd = -1};
  if (lv_rotate_tail(&order, &got) < 0) return "failed";
  size_t n = lv_buf_size(&got.bytes);
  if (n > 0) memcpy(text, lv_buf_bytes(&got.bytes), n);
  text[n] = '\0';
  lv_buf_fini(&got.bytes);
  if (number) *number = got.number;
  if (left) *left = got.left;
  return text;
}

static const char *last(size_t lines) {
  return tail(lines, 4096, NULL, NULL);
}

static void the_last_lines_are_read_over_all_files(void) {
  is_str(last(3), "", "there is none yet");
  put("log.2", "1\n2\n");
  put("log.1", "3\n4\n");
  put("log", "5\n6");
  is_str(last(1), "6", "the last has no end yet");
  is_str(last(2), "5\n6", "two");
  is_str(last(3), "4\n5\n6", "of two files");
  is_str(last(5), "2\n3\n4\n5\n6", "of three");
  is_str(last(9), "1\n2\n3\n4\n5\n6", "all there are");
  is_str(last(0), "", "none");
  is_str(tail(9, 5, NULL, NULL), "4\n5\n6", "not too many bytes");
  clean();
}

static void the_last_lines_of_big_files(void) {
  FILE *f = fopen("log", "w");
  for (int i = 0; i < 20000; i++)
    fprintf(f, "%099d\n", i);
  fclose(f);
  unsigned number = 0;
  size_t left;
  const lv_tail_order order = {
      .name = "log", .lines = 5000, .most = 1 << 20, .fd = -1};
  lv_tail got;
  is_int(lv_rotate_tail(&order, &got), 0, "half a megabyte");
  is_int((long long)lv_buf_size(&got.bytes), 500000, "of so many bytes");
  is_int(atoi(lv_buf_bytes(&got.bytes)), 15000, "from the right one on");
  lv_buf_fini(&got.bytes);
  is_int((long long)strlen(tail(50, 4096, &number, &left)), 4096,
         "cut where there are too many");
  clean();
}

static void a_compressed_file_is_left_to_others(void) {
  unsigned number = 0;
  size_t left;
  put("log", "3\n4\n");
  put("log.1.gz", "?");
  is_str(tail(9, 4096, &number, &left), "3\n4\n", "what is not compressed");
  is_int(number, 1, "it is the next");
  is_int((long long)left, 7, "so many are wanted");
  is_str(tail(2, 4096, &number, &left), "3\n4\n", "enough");
  is_int(number, 0, "then it is not needed");
  clean();
}

static void from_a_place_in_a_file_that_was_rotated_since(void) {
  put("log.1", "1\n2\n");
  put("log", "3\n4\n5\n");
  int fd = open("log", O_RDONLY | O_CLOEXEC);
  lv_rotate("log", &five);
  put("log", "6\n");
  lv_rotate("log", &five);
  put("log", "7\n");
  const lv_tail_order order = {
      .name = "log", .lines = 3, .most = 100, .fd = fd, .end = 4};
  lv_tail got;
  is_int(lv_rotate_tail(&order, &got), 0, "read");
  ok(lv_buf_size(&got.bytes) == 6 &&
         memcmp(lv_buf_bytes(&got.bytes), "2\n3\n4\n", 6) == 0,
     "what was before that place, and not what came later");
  lv_buf_fini(&got.bytes);
  lv_fd_close(&fd);
  clean();
}

/* ---- one file ---- */

static void it_grows_at_its_end(void) {
  lv_logfile f;
  put("log", "one\n");
  is_int(lv_logfile_open(&f, "log"), 0, "opened");
  is_int((long long)f.size, 4, "its size");
  ok(!f.torn && lv_logfile_at_start(&f), "it ends with a line");
  is_int(lv_logfile_write(&f, "two", 3), 3, "written");
  ok(!lv_logfile_at_start(&f), "not to its end");
  is_str(get("log"), "one\ntwo", "all is there");
  lv_logfile_close(&f);
  is_int(lv_logfile_open(&f, "log"), 0, "opened again");
  ok(f.torn, "somebody left it in the midst of a line");
  lv_logfile_close(&f);
  lv_logfile_close(&f);
  clean();
}

static void it_has_one_writer(void) {
  lv_logfile a, b;
  is_int(lv_logfile_open(&a, "log"), 0, "one");
  is_int(lv_logfile_open(&b, "log"), -EBUSY, "not another");
  lv_logfile_close(&a);
  is_int(lv_logfile_open(&b, "log"), 0, "but then");
  lv_logfile_close(&b);
  clean();
}

static void what_happens_to_it_is_seen(void) {
  lv_logfile f;
  is_int(lv_logfile_open(&f, "log"), 0, "opened");
  lv_logfile_write(&f, "0123456789\n", 11);
  ok(lv_logfile_look(&f) && lv_logfile_is(&f, "log"), "nothing happened");
  put("log", "");
  ok(lv_logfile_look(&f), "it was cut");
  is_int((long long)f.size, 0, "so it goes on there");
  rename("log", "other");
  ok(lv_logfile_look(&f) && !lv_logfile_is(&f, "log"), "it was moved");
  unlink("other");
  ok(!lv_logfile_look(&f), "it was removed");
  lv_logfile_close(&f);
  clean();
}

static void bytes_are_spliced_to_it(void) {
  lv_logfile f;
  int ends[2];
  if (lv_fd_pipe(ends) < 0 || lv_fd_set_nonblocking(ends[0], true) < 0) abort();
  is_int(lv_logfile_open(&f, "log"), 0, "opened");
  is_int(lv_logfile_splice(&f, ends[0], 100), -EAGAIN, "nothing yet");
  if (write(ends[1], "a line\nhalf", 11) != 11) abort();
  is_int(lv_logfile_splice(&f, ends[0], 7), 7, "no more than asked for");
  ok(lv_logfile_at_start(&f), "its end is looked at");
  is_int(lv_logfile_splice(&f, ends[0], 100), 4, "the rest");
  ok(!lv_logfile_at_start(&f), "again");
  lv_fd_close(&ends[1]);
  is_int(lv_logfile_splice(&f, ends[0], 100), 0, "the end");
  is_str(get("log"), "a line\nhalf", "all is there");
  lv_fd_close(&ends[0]);
  lv_logfile_close(&f);
  clean();
}

int main(void) {
  char dir[] = "rotate.XXXXXX";
  if (mkdtemp(dir) == NULL || chdir(dir) == -1) return 1;
  run(numbers_grow_and_the_oldest_goes);
  run(compressed_ones_keep_their_form);
  run(a_missing_number_is_filled);
  run(none_is_kept_where_none_should_be);
  run(the_total_is_kept_to);
  run(it_fails_without_harm);
  run(a_compressed_one_finds_its_place);
  run(the_last_lines_are_read_over_all_files);
  run(the_last_lines_of_big_files);
  run(a_compressed_file_is_left_to_others);
  run(from_a_place_in_a_file_that_was_rotated_since);
  run(it_grows_at_its_end);
  run(it_has_one_writer);
  run(what_happens_to_it_is_seen);
  run(bytes_are_spliced_to_it);
  if (chdir("..") == 0) rmdir(dir);
  return tap_done();
}
