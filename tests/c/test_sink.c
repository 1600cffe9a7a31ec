/* tests/c/test_sink.c — A sink whose disk is slow, full or well. The disk is
 * slow when all threads are taken: to the loop that looks the same. */
#include "core/runtime.h"
#include "core/sink.h"
#include "os/fd.h"

#include <fcntl.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tap.h"

enum { THREADS = 4, KIB = 1024, MIB = 1024 * 1024, MUCH = 8 * MIB };

static lv_rt rt;
static lv_sinks *hub;
static unsigned news;

static void on_news(lv_sink *s, unsigned what, void *arg) {
  (void)s, (void)arg;
  news |= what;
}

static lv_sink *open_sink(const char *path, bool drop) {
  lv_sink *s;
  lv_sink_settings set = {.target = LV_SINK_FILE, .drop = drop};
  set.path = strdup(path);
  set.name = strdup("test");
  news = 0;
  if (lv_rt_init(&rt, true) < 0) abort();
  hub = lv_sinks_new();
  if (hub == NULL || lv_sink_open(&s, hub, &rt, &set, on_news, NULL) < 0)
    abort();
  return s;
}

static void turn(void) {
  uv_run(&rt.loop, UV_RUN_ONCE);
}

static void close_sink(lv_sink *s) {
  lv_sink_close(s);
  while (!s->closed)
    turn();
  lv_sink_release(s);
  lv_sinks_unref(hub);
  lv_rt_fini(&rt);
}

/* Its writing end is ours alone from now on. */
static int input(lv_sink *s) {
  int fd, own;
  if (lv_sink_input(s, &fd) < 0) abort();
  own = lv_fd_dup(fd);
  lv_sink_handed(s);
  return own;
}

static void put(int fd, const char *text) {
  size_t n = strlen(text);
  if (write(fd, text, n) != (ssize_t)n) abort();
}

static const char *get(const char *name) {
  static char text[4096];
  int fd = open(name, O_RDONLY | O_CLOEXEC);
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  text[n < 0 ? 0 : n] = '\0';
  return text;
}

static off_t size_of(const char *name) {
  struct stat st;
  return stat(name, &st) == 0 ? st.st_size : -1;
}

static void drain(lv_sink *s, int fd) {
  close(fd);
  while (!lv_sink_is_drained(s))
    turn();
}

/* ---- threads that are taken ---- */

static sem_t gate;
static uv_work_t taken[THREADS];

static void wait_at_gate(uv_work_t *req) {
  (void)req;
  while (sem_wait(&gate) == -1)
    ;
}

static void ignore(uv_work_t *req, int status) {
  (void)req, (void)status;
}

static void take_threads(void) {
  sem_init(&gate, 0, 0);
  for (int i = 0; i < THREADS; i++)
    uv_queue_work(&rt.loop, &taken[i], wait_at_gate, ignore);
}

static void give_threads_back(void) {
  for (int i = 0; i < THREADS; i++)
    sem_post(&gate);
}

/* ---- the disk is well ---- */

static void bytes_go_to_the_file(void) {
  lv_sink *s = open_sink("log", false);
  int fd = input(s);
  put(fd, "one\ntwo");
  while (s->bytes < 7)
    turn();
  is_str(get("log"), "one\ntwo", "all that has come");
  drain(s, fd);
  is_str(get("log"), "one\ntwo\n", "a line that nobody will end is ended");
  fd = input(s);
  put(fd, "three\n");
  drain(s, fd);
  is_str(get("log"), "one\ntwo\nthree\n", "the next process goes on there");
  is_int((long long)s->bytes, 13, "counted as they came");
  close_sink(s);
  unlink("log");
}

static size_t fill(int fd);

static void what_need_not_be_looked_at_is_spliced(void) {
  lv_sink *s = open_sink("log", false);
  s->out.set.max_size = MIB;
  s->out.set.rules = (lv_rotate_rules){.keep = 1};
  int fd = input(s);
  size_t n = 0;
  while (n < MUCH) {
    n += fill(fd);
    turn();
  }
  drain(s, fd);
  is_int((long long)s->bytes, (long long)n, "all has come");
  ok(s->rotations >= 7, "and was rotated: %d times", (int)s->rotations);
  uint64_t looked_at = s->bytes - s->out.spliced;
  ok(looked_at <= (s->rotations + 1) * 256 * KIB,
     "only around the ends of files is it read: %d KiB",
     (int)(looked_at / KIB));
  close_sink(s);
  unlink("log");
  unlink("log.1");
}

static void an_idle_sink_holds_nothing(void) {
  lv_sink *s = open_sink("log", false);
  int fd = input(s);
  put(fd, "a line\n");
  while (s->bytes < 7 || s->busy)
    turn();
  ok(s->held.data == NULL && s->tap.data == NULL && s->recent.data == NULL,
     "no buffer");
  ok(!lv_timer_is_running(&s->timer), "no timer");
  ok(sizeof *s < KIB, "and is small: %d bytes", (int)sizeof *s);
  drain(s, fd);
  close_sink(s);
  unlink("log");
}

static void it_can_be_let_go_of_at_any_time(void) {
  lv_sink *s = open_sink("log", false);
  int fd = input(s);
  put(fd, "a line\n");
  take_threads();
  uv_run(&rt.loop, UV_RUN_NOWAIT);
  ok(s->busy, "while there is a job");
  lv_sink_release(s);
  put(fd, "and another\n");
  give_threads_back();
  lv_sinks_unref(hub);
  lv_rt_fini(&rt);
  is_str(get("log"), "a line\nand another\n", "and nothing is lost");
  close(fd);
  unlink("log");
}

static void a_busy_one_lets_others_have_threads(void) {
  lv_sink *s = open_sink("log", false);
  lv_sink *others[8];
  for (int i = 0; i < 8; i++) {
    lv_sink_settings set = {.target = LV_SINK_NULL};
    if (lv_sink_open(&others[i], hub, &rt, &set, on_news, NULL) < 0) abort();
    lv_sink_do(others[i], LV_SINK_OPEN);
  }
  int waiting = 0;
  for (int i = 0; i < 8; i++)
    waiting += others[i]->link.next != &others[i]->link;
  is_int(waiting, 5, "three of eight are at work");
  for (int i = 0; i < 8; i++)
    while (!lv_sink_has_done(others[i], LV_SINK_OPEN))
      turn();
  for (int i = 0; i < 8; i++) {
    lv_sink_close(others[i]);
    while (!others[i]->closed)
      turn();
    lv_sink_release(others[i]);
  }
  ok(true, "all get their turn");
  close_sink(s);
}

/* ---- the disk is slow ---- */

/* Write as long as there is room; how many bytes that were. */
static size_t fill(int fd) {
  static char line[100];
  size_t n = 0;
  memset(line, 'x', sizeof line);
  line[99] = '\n';
  lv_fd_set_nonblocking(fd, true);
  while (write(fd, line, sizeof line) == sizeof line)
    n += sizeof line;
  return n;
}

static void whoever_writes_waits_for_a_slow_disk(void) {
  lv_sink *s = open_sink("log", false);
  int fd = input(s);
  take_threads();
  size_t n = fill(fd);
  for (int i = 0; i < 10; i++)
    uv_run(&rt.loop, UV_RUN_NOWAIT);
  is_int((long long)fill(fd), 0, "there is no room, and will not be");
  is_int((long long)s->bytes, 0, "nothing was taken");
  give_threads_back();
  drain(s, fd);
  is_int((long long)size_of("log"), (long long)n, "then all is written");
  is_int((long long)s->dropped, 0, "nothing is dropped");
  close_sink(s);
  unlink("log");
}

/* Lines of a log but for the one that tells of a gap; *told: what that says. */
static size_t count_lines(const char *name, size_t *told) {
  char line[200];
  size_t lines = 0, bytes;
  FILE *f = fopen(name, "r");
  *told = 0;
  while (fgets(line, sizeof line, f)) {
    if (sscanf(line, "luvisor: %zu bytes in %zu", &bytes, told) == 2) continue;
    lines += strlen(line) == 100;
  }
  fclose(f);
  return lines;
}

static void what_a_slow_disk_has_no_room_for_is_dropped(void) {
  lv_sink *s = open_sink("log", true);
  int fd = input(s);
  take_threads();
  size_t n = 0, told;
  while (s->backlog.lost < MIB) {
    n += fill(fd);
    turn();
  }
  ok(s->slow, "it is slow");
  ok(lv_buf_size(&s->backlog.bytes) + s->lent <= MIB, "memory is bounded");
  give_threads_back();
  while (s->backlog.lost > 0 || s->busy)
    turn();
  ok(news & LV_SINK_GAP, "the gap is told");
  n += fill(fd);
  drain(s, fd);
  size_t lines = count_lines("log", &told);
  is_int((long long)(lines + told), (long long)n / 100,
         "each line is there, or missing as is said");
  ok(told > 10000, "many are");
  is_int((long long)told, (long long)s->gap_lines, "so many");
  is_int((long long)s->dropped, (long long)s->gap_lines * 100, "to the byte");
  close_sink(s);
  unlink("log");
}

static void a_disk_that_is_well_makes_nobody_drop(void) {
  lv_sink *s = open_sink("log", true);
  int fd = input(s);
  size_t n = 0;
  while (n < MUCH) {
    n += fill(fd);
    turn();
  }
  drain(s, fd);
  is_int((long long)size_of("log"), (long long)n, "all is there");
  close_sink(s);
  unlink("log");
}

/* ---- the disk is full ---- */

static void a_full_disk_is_told_and_tried_again(void) {
  if (symlink("/dev/full", "log") == -1) abort();
  lv_sink *s = open_sink("log", false);
  int fd = input(s);
  put(fd, "one\n");
  while ((news & LV_SINK_PRESSED) == 0)
    turn();
  is_int(s->error, -ENOSPC, "it is full");
  put(fd, "two\n");
  ok(lv_timer_is_running(&s->timer), "it will be tried again");
  unlink("log");
  while ((news & LV_SINK_RELIEVED) == 0)
    turn();
  drain(s, fd);
  is_str(get("log"), "one\ntwo\n", "now that there is another, all is there");
  close_sink(s);
  unlink("log");
}

static void what_cannot_be_written_at_the_end_is_counted(void) {
  if (symlink("/dev/full", "log") == -1) abort();
  lv_sink *s = open_sink("log", false);
  int fd = input(s);
  put(fd, "one\n");
  while (s->error == 0)
    turn();
  put(fd, "two\nthree\n");
  close(fd);
  lv_sink_close(s);
  while (!s->closed)
    turn();
  is_int((long long)s->lost, 14, "in memory, and in the pipe");
  ok(news & LV_SINK_LOST, "and is told");
  close_sink(s);
  unlink("log");
}

static void dropping_on_a_full_disk_counts_right(void) {
  if (symlink("/dev/full", "log") == -1) abort();
  lv_sink *s = open_sink("log", true);
  int fd = input(s);
  size_t n = 0, told;
  while (s->backlog.lost < MIB) {
    n += fill(fd);
    turn();
  }
  ok(lv_buf_size(&s->backlog.bytes) + s->lent <= MIB, "memory is bounded");
  unlink("log");
  while (s->backlog.lost > 0)
    turn();
  drain(s, fd);
  size_t lines = count_lines("log", &told);
  is_int((long long)(lines + told), (long long)n / 100,
         "each line is there, or missing as is said");
  ok(told > 0 && lines >= 10000, "a mebibyte was kept");
  close_sink(s);
  unlink("log");
}

int main(void) {
  char dir[] = "sink.XXXXXX";
  if (mkdtemp(dir) == NULL || chdir(dir) == -1) return 1;
  lv_sink *first = open_sink("log", false); /* opens what all share */
  lv_sink_do(first, LV_SINK_OPEN);
  close_sink(first);
  unlink("log");
  run(bytes_go_to_the_file);
  run(what_need_not_be_looked_at_is_spliced);
  run(an_idle_sink_holds_nothing);
  run(it_can_be_let_go_of_at_any_time);
  run(a_busy_one_lets_others_have_threads);
  run(whoever_writes_waits_for_a_slow_disk);
  run(what_a_slow_disk_has_no_room_for_is_dropped);
  run(a_disk_that_is_well_makes_nobody_drop);
  run(a_full_disk_is_told_and_tried_again);
  run(what_cannot_be_written_at_the_end_is_counted);
  run(dropping_on_a_full_disk_counts_right);
  if (chdir("..") == 0) rmdir(dir);
  return tap_done();
}
