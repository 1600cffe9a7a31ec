/* tests/c/test_loglines.c — Stamps, and lines that wait and may be dropped. */
#include "base/backlog.h"
#include "base/stamp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

static const lv_stamp none = {.n = 0};

/* The bytes as a text, emptied out of the buffer. */
static const char *text(lv_buf *b) {
  static char copy[65536];
  size_t n = lv_buf_size(b);
  if (n >= sizeof copy) abort();
  if (n > 0) memcpy(copy, lv_buf_bytes(b), n);
  copy[n] = '\0';
  lv_buf_consume(b, n);
  return copy;
}

static int put(lv_backlog *b, const char *bytes, size_t most) {
  return lv_backlog_put(b, &none, bytes, strlen(bytes), most);
}

static const char *take(lv_backlog *b) {
  lv_buf out = {0};
  lv_backlog_take(b, &out);
  const char *copy = text(&out);
  lv_buf_fini(&out);
  return copy;
}

static void stamps_say_the_time(void) {
  const struct timespec at = {.tv_sec = 1709251199, .tv_nsec = 123456789};
  lv_stamp s = lv_stamp_make(LV_STAMP_ISO, at);
  is_str(s.text, "2024-02-29T23:59:59.123Z ", "as ISO 8601 has it");
  is_int((long long)s.n, (long long)strlen(s.text), "that long");
  s = lv_stamp_make(LV_STAMP_UNIX, at);
  is_str(s.text, "1709251199.123456 ", "in seconds");
  is_int((long long)lv_stamp_make(LV_STAMP_NONE, at).n, 0, "or not at all");
}

static void each_line_is_stamped_once_however_it_comes(void) {
  const lv_stamp s = {.text = "T ", .n = 2};
  static const char *const pieces[] = {"a", "b\n", "\nc", "", "d\ne", "\n"};
  lv_buf out = {0};
  bool mid = false;
  for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
    lv_stamp_append(&out, &s, pieces[i], strlen(pieces[i]), &mid);
  is_str(text(&out), "T ab\nT \nT cd\nT e\n", "also an empty one");
  ok(!mid, "and it ends with a line");
  lv_buf_fini(&out);
}

static void line_ends_are_found(void) {
  is_int((long long)lv_line_first("ab\nc\n", 5), 3, "the first");
  is_int((long long)lv_line_last("ab\nc\nd", 6), 5, "the last");
  is_int((long long)lv_line_first("ab", 2), 0, "none");
  is_int((long long)lv_line_last("", 0), 0, "none in nothing");
}

static void what_fits_waits(void) {
  lv_backlog b = {0};
  put(&b, "one\ntw", 100);
  put(&b, "o\nthr", 100);
  is_str(take(&b), "one\ntwo\nthr", "as it came");
  is_int((long long)b.lost, 0, "nothing is lost");
  put(&b, "ee\n", 100);
  is_str(take(&b), "ee\n", "the rest of a line, too");
  lv_backlog_fini(&b);
}

static void whole_lines_are_dropped(void) {
  lv_backlog b = {0};
  put(&b, "one\ntwo\nthree\nfour\n", 8);
  is_int((long long)b.lost, 11, "all bytes of two lines");
  is_int((long long)b.lines, 2, "two lines");
  put(&b, "5\n", 100);
  is_int((long long)b.lines, 3, "and all that follow, for it is one gap");
  ok(!lv_backlog_is_at_gap(&b, false), "its place comes later");
  is_str(take(&b), "one\ntwo\n", "what waited");
  ok(lv_backlog_is_at_gap(&b, false), "now it has come");
  lv_backlog_mend(&b, "gap\n", 4);
  put(&b, "six\n", 100);
  is_str(take(&b), "gap\nsix\n", "and after it all is as before");
  lv_backlog_fini(&b);
}

static void the_beginning_of_a_dropped_line_goes_with_it(void) {
  lv_backlog b = {0};
  put(&b, "one\ntw", 8);
  put(&b, "o-and-more", 8);
  put(&b, "-still\nthree\n", 8);
  is_int((long long)b.lost, 25, "all its bytes");
  is_int((long long)b.lines, 2, "it is one line, and another");
  is_str(take(&b), "one\n", "only the line before is there");
  lv_backlog_fini(&b);
}

static void the_gap_waits_for_the_end_of_its_last_line(void) {
  lv_backlog b = {0};
  put(&b, "toolong", 4);
  ok(!lv_backlog_is_at_gap(&b, false), "more of it may come");
  ok(lv_backlog_is_at_gap(&b, true), "unless nothing comes any more");
  put(&b, "er\n", 4);
  ok(lv_backlog_is_at_gap(&b, false), "it has come");
  is_int((long long)b.lines, 1, "one line");
  is_int((long long)b.lost, 10, "all of it");
  lv_backlog_fini(&b);
}

static void a_line_that_was_begun_is_ended_before_the_gap(void) {
  lv_backlog b = {0};
  put(&b, "beg", 4);
  is_str(take(&b), "beg", "taken, and written");
  put(&b, "inning is written\n", 4);
  is_int((long long)b.lines, 1, "its rest does not fit");
  lv_backlog_mend(&b, "gap\n", 4);
  is_str(take(&b), "\ngap\n", "so it ends here");
  lv_backlog_fini(&b);
}

static void what_is_dropped_is_counted_without_its_stamp(void) {
  const lv_stamp s = {.text = "T ", .n = 2};
  lv_backlog b = {0};
  lv_backlog_put(&b, &s, "one\ntw", 6, 14);
  is_int((long long)lv_buf_size(&b.bytes), 10, "two stamps");
  lv_backlog_put(&b, &s, "o.........\n", 11, 14);
  is_int((long long)b.lost, 13, "bytes as they came");
  is_str(take(&b), "T one\n", "a whole line");
  lv_backlog_fini(&b);
}

/* Every way to cut a text in two, with every limit: what is kept is lines of
 * it, what is lost is counted to the byte. */
static void no_byte_is_kept_and_lost_or_neither(void) {
  static const char all[] = "a\nbb\n\nccccccc\nd\n";
  const size_t n = sizeof all - 1;
  long bad = 0;
  for (size_t cut = 0; cut <= n; cut++)
    for (size_t most = 0; most <= n + 1; most++) {
      lv_backlog b = {0};
      lv_backlog_put(&b, &none, all, cut, most);
      lv_backlog_put(&b, &none, all + cut, n - cut, most);
      size_t kept = lv_buf_size(&b.bytes);
      const char *bytes = take(&b);
      bad += kept + b.lost != n || kept > most;
      bad += memcmp(bytes, all, kept) != 0;
      bad += kept > 0 && bytes[kept - 1] != '\n';
      lv_backlog_fini(&b);
    }
  is_int(bad, 0, "in all cases");
}

int main(void) {
  run(stamps_say_the_time);
  run(each_line_is_stamped_once_however_it_comes);
  run(line_ends_are_found);
  run(what_fits_waits);
  run(whole_lines_are_dropped);
  run(the_beginning_of_a_dropped_line_goes_with_it);
  run(the_gap_waits_for_the_end_of_its_last_line);
  run(a_line_that_was_begun_is_ended_before_the_gap);
  run(what_is_dropped_is_counted_without_its_stamp);
  run(no_byte_is_kept_and_lost_or_neither);
  return tap_done();
}
