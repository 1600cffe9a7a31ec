/* tests/c/test_scan.c — Patterns, and the search for them in pieces. The test
 * in Lua, tests/lua/test_expect_search.lua, compares with string.find. */
#include "base/scan.h"

#include <stdlib.h>

#include "tap.h"

static lv_pattern pattern;
static lv_scan scan;

static void begin(const char *text, size_t window) {
  const char *fault = NULL;
  int rc = lv_pattern_open(&pattern, text, strlen(text), &fault);
  ok(rc == 0, "'%s' is a pattern", text);
  if (rc != 0 || lv_scan_open(&scan, &pattern, window) < 0) abort();
}

static void end(void) {
  lv_scan_close(&scan);
  lv_pattern_close(&pattern);
}

/* Is there a match in the first n bytes of the text? */
static bool found(const char *text, size_t n) {
  const lv_span span = {text, 0, n};
  lv_scan_run(&scan, &span, n, SIZE_MAX);
  return lv_scan_end(&scan, SIZE_MAX);
}

static void is_match(size_t start, size_t stop) {
  is_int((long long)scan.best[LV_WAY_START], (long long)start, "it begins");
  is_int((long long)scan.end, (long long)stop, "it ends");
}

static void a_match_is_found_when_its_last_byte_has_come(void) {
  const char text[] = "say: password: now";
  begin("pass%a+:", 100);
  for (size_t n = 0; n < 14; n++)
    ok(!found(text, n), "not in %d bytes", (int)n);
  ok(found(text, 14), "in 14");
  is_match(5, 14);
  is_int((long long)scan.examined, 14, "each was looked at once");
  end();
}

static void captures_are_where_the_match_has_them(void) {
  begin("(%w+)@(%w+)()", 100);
  ok(found("mail joe@host", 13), "found");
  is_match(5, 13);
  const size_t *at = scan.best + LV_WAY_CAPTURES;
  is_int((long long)at[0], 5, "the first begins");
  is_int((long long)at[1], 8, "and ends");
  is_int((long long)at[2], 9, "the second begins");
  is_int((long long)at[3], 13, "and ends");
  is_int((long long)at[4], 13, "the third is a position");
  is_int(pattern.positions, 4, "and known to be one");
  end();
}

static void what_was_no_match_may_become_one(void) {
  begin("a$", 100);
  ok(!found("ab", 2), "not with a byte behind it");
  ok(found("aba", 3), "but at the end");
  is_match(2, 3);
  lv_scan_reset(&scan, 0);
  ok(found("a", 1), "the end is where the bytes end");
  end();
}

static void an_anchored_one_begins_at_byte_0(void) {
  begin("^b", 100);
  ok(!found("ab", 2), "not behind it");
  is_int((long long)scan.examined, 1, "and is not looked for there");
  lv_scan_reset(&scan, 0);
  ok(found("ba", 2), "there");
  end();
}

static void only_matches_before_a_number_are_looked_for(void) {
  const lv_span text = {"aaab", 0, 4};
  begin("b", 100);
  lv_scan_run(&scan, &text, 4, 3);
  ok(!lv_scan_end(&scan, 3), "not below 3");
  is_int((long long)scan.pos, 3, "it stops there");
  lv_scan_run(&scan, &text, 4, 4);
  ok(lv_scan_end(&scan, 4), "below 4");
  end();
}

/* "a.*b" from the first a hides those that begin later, until it is too long. */
static void what_fits_into_the_window_is_found_behind_what_does_not(void) {
  char text[100];
  memset(text, 'c', sizeof text);
  text[0] = text[90] = 'a';
  text[95] = 'b';
  begin("a.*b", 10);
  for (size_t n = 0; n < sizeof text; n++)
    if (found(text, n)) break;
  is_match(90, 96);
  ok(scan.examined <= 2 * sizeof text, "looked at twice at most");
  end();
}

static void bytes_that_were_dropped_are_not_relied_upon(void) {
  begin("ab", 100);
  ok(!found("xxa", 3), "half of it");
  const lv_span text = {"bab", 3, 6};
  lv_scan_run(&scan, &text, 6, SIZE_MAX);
  ok(lv_scan_end(&scan, SIZE_MAX), "found");
  is_match(4, 6);
  end();
}

static void malformed_ones_are_refused(void) {
  static const char *const bad[] = {"%",  "[a",   "[]",    "[^", "(a",
                                    "a)", "%b",   "%bx",   "%f", "%fa",
                                    "%1", "(%1)", "(a%1)", "%0", "a%2(b)"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    const char *fault = NULL;
    int rc = lv_pattern_open(&pattern, bad[i], strlen(bad[i]), &fault);
    is_int(rc, -EINVAL, "'%s'", bad[i]);
    ok(fault != NULL, "which is said: %s", fault);
    lv_pattern_close(&pattern);
  }
}

static void what_can_be_told_beforehand_is(void) {
  begin("x?y", 1);
  ok(lv_byte_set_has(&pattern.first, 'x'), "it can begin with x");
  ok(lv_byte_set_has(&pattern.first, 'y'), "or y");
  ok(!lv_byte_set_has(&pattern.first, 'z'), "but not z");
  is_int(pattern.only_first, -1, "two are not one");
  ok(!pattern.may_be_empty, "it has a byte");
  end();
  begin("%bxy", 1);
  is_int(pattern.only_first, 'x', "one is");
  end();
  begin("a*b-", 1);
  ok(pattern.may_be_empty, "it may have none");
  end();
  begin("(.)%1", 1);
  ok(pattern.refers, "it refers to a capture");
  end();
}

int main(void) {
  run(a_match_is_found_when_its_last_byte_has_come);
  run(captures_are_where_the_match_has_them);
  run(what_was_no_match_may_become_one);
  run(an_anchored_one_begins_at_byte_0);
  run(only_matches_before_a_number_are_looked_for);
  run(what_fits_into_the_window_is_found_behind_what_does_not);
  run(bytes_that_were_dropped_are_not_relied_upon);
  run(malformed_ones_are_refused);
  run(what_can_be_told_beforehand_is);
  return tap_done();
}
