/* base/scan.c — See scan.h.
 *
 * All ways through the pattern are followed at the same time, as Thompson's
 * and Pike's machines do it for regular expressions: for each byte, each way is
 * tried with it, and what survives waits for the next byte. Two ways that wait
 * before the same item have the same future, so the worse of them is dropped,
 * and there are never more ways than items.
 *
 * Ways are in the order in which a matcher that goes back would try them: those
 * of an earlier start first, then those that take more for "*" and less for
 * "-". The first that gets to the end is the match, unless a better one gets
 * there later; the worse ones are dropped.
 *
 * Whether a way that has eaten a byte can pass "%f" or "$", or is at its end,
 * is tried with the next byte, or with none when there is none yet. */
#include "base/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Ways inside of a "%b" differ by their depth. If more than this many are open,
 * those that began first are given up. */
enum { DEEP_MOST = 200 };

enum { NO_BYTE = -1 };

/* ---- lists of ways ---- */

static size_t *way_at(const lv_scan *s, const lv_way_list *list, size_t i) {
  return list->ways + i * s->row;
}

static void push(lv_scan *s, const size_t *way, size_t item, size_t depth) {
  if (depth > 0) {
    s->next.deep++;
  } else {
    if (s->queued[item] == s->turn) return;
    s->queued[item] = s->turn;
  }
  size_t *copy = way_at(s, &s->next, s->next.n++);
  memcpy(copy, way, s->row * sizeof *copy);
  copy[LV_WAY_ITEM] = item;
  copy[LV_WAY_DEPTH] = depth;
}

static void swap_lists(lv_scan *s) {
  lv_way_list done = s->now;
  s->now = s->next;
  s->next = done;
}

static void clear(lv_way_list *list) {
  list->n = list->deep = 0;
}

/* ---- one byte ---- */

static bool follow(lv_scan *s, size_t *way, size_t item, int c);

/* The capture is as it was, for the other ways that share the row. */
static bool follow_capture(lv_scan *s, size_t *way, size_t item, int c) {
  const lv_item *it = &s->p->items[item];
  size_t *at = way + LV_WAY_CAPTURES + 2 * (size_t)it->x;
  if (it->op == LV_ITEM_CLOSE) at++;
  size_t before = *at;
  *at = s->pos;
  bool found = follow(s, way, item + 1, c);
  *at = before;
  return found;
}

static bool is_frontier(const lv_scan *s, const lv_item *it, int c) {
  unsigned char next = c == NO_BYTE ? 0 : (unsigned char)c;
  return !lv_byte_set_has(&it->set, s->previous) &&
         lv_byte_set_has(&it->set, next);
}

static void keep_match(lv_scan *s, const size_t *way) {
  memcpy(s->best, way, s->row * sizeof *way);
  s->end = s->pos;
  s->found = true;
}

/* What waits for the next byte, if the item takes this one. */
static void eat(lv_scan *s, const size_t *way, size_t item, int c) {
  const lv_item *it = &s->p->items[item];
  bool stays = it->op == LV_ITEM_MANY || it->op == LV_ITEM_FEW;
  if (it->op == LV_ITEM_BALANCED && c == it->x)
    push(s, way, item, 1);
  else if (it->op <= LV_ITEM_FEW && c != NO_BYTE &&
           lv_byte_set_has(&it->set, (unsigned char)c))
    push(s, way, stays ? item : item + 1, 0);
}

/* Can the next item be tried with the same byte? */
static bool can_pass(const lv_scan *s, const lv_item *it, int c) {
  switch (it->op) {
  case LV_ITEM_MAYBE:
  case LV_ITEM_MANY: return true;
  case LV_ITEM_FRONTIER: return is_frontier(s, it, c);
  case LV_ITEM_END: return c == NO_BYTE;
  default: return false;
  }
}

static bool is_capture(lv_item_op op) {
  return op == LV_ITEM_OPEN || op == LV_ITEM_CLOSE || op == LV_ITEM_POSITION;
}

/* Try the byte with all that can stand at this item. True: the way is a match,
 * and all worse ones are not wanted. */
static bool follow(lv_scan *s, size_t *way, size_t item, int c) {
  for (;; item++) {
    const lv_item *it = &s->p->items[item];
    if (s->seen[item] == s->turn) return false;
    s->seen[item] = s->turn;
    if (it->op == LV_ITEM_FOUND) {
      keep_match(s, way);
      return true;
    }
    if (is_capture(it->op)) return follow_capture(s, way, item, c);
    if (it->op == LV_ITEM_FEW && follow(s, way, item + 1, c)) return true;
    eat(s, way, item, c);
    if (!can_pass(s, it, c)) return false;
  }
}

/* A way inside of a "%b". The second byte of the two is looked at first, as by
 * Lua: they may be the same. */
static void go_deeper(lv_scan *s, const size_t *way, int c) {
  const lv_item *it = &s->p->items[way[LV_WAY_ITEM]];
  size_t depth = way[LV_WAY_DEPTH];
  if (c == it->y)
    depth--;
  else if (c == it->x)
    depth++;
  push(s, way, way[LV_WAY_ITEM] + (depth == 0), depth);
}

static bool may_begin(const lv_scan *s, size_t before) {
  return !s->found && s->pos < before && (!s->p->anchored || s->pos == 0);
}

/* True: a match that begins here. */
static bool begin(lv_scan *s, int c) {
  memset(s->fresh, 0, s->row * sizeof *s->fresh);
  s->fresh[LV_WAY_START] = s->pos;
  return follow(s, s->fresh, 0, c);
}

/* All ways with one byte, or with none. */
static void step(lv_scan *s, int c, size_t before) {
  size_t given_up = s->now.deep > DEEP_MOST ? s->now.deep - DEEP_MOST : 0;
  s->turn++;
  for (size_t i = 0; i < s->now.n; i++) {
    size_t *way = way_at(s, &s->now, i);
    if (way[LV_WAY_DEPTH] == 0) {
      if (follow(s, way, way[LV_WAY_ITEM], c)) return;
    } else if (given_up > 0) {
      given_up--;
    } else if (c != NO_BYTE) {
      go_deeper(s, way, c);
    }
  }
  if (may_begin(s, before)) begin(s, c);
}

/* ---- many bytes ---- */

static unsigned char byte_at(const lv_span *text, size_t pos) {
  return (unsigned char)text->bytes[pos - text->from];
}

/* To the next byte with which a match can begin. */
static void skip(lv_scan *s, const lv_span *text, size_t to) {
  size_t from = s->pos;
  if (s->p->only_first >= 0) {
    const char *at = text->bytes + (from - text->from);
    const char *hit = memchr(at, s->p->only_first, to - from);
    s->pos = hit ? from + (size_t)(hit - at) : to;
  } else {
    while (s->pos < to && !lv_byte_set_has(&s->p->first, byte_at(text, s->pos)))
      s->pos++;
  }
  s->examined += s->pos - from;
}

static void look_back(lv_scan *s, const lv_span *text) {
  s->previous = s->pos > text->from ? byte_at(text, s->pos - 1) : 0;
}

/* The bytes on which a way relies may have been dropped from the stream. And a
 * way that is too long may have made us drop shorter ones, that began later:
 * those are found by going back to where they can have begun. As that is half
 * of the way, each byte is looked at twice at most. */
static void forget_the_old(lv_scan *s, const lv_span *text) {
  size_t start = s->now.n > 0 ? way_at(s, &s->now, 0)[LV_WAY_START] : s->pos;
  bool is_lost = start < text->from;
  bool is_long = (s->pos - start) / 2 >= s->window;
  if (!is_lost && !is_long) return;
  if (s->found) {
    clear(&s->now);
    return;
  }
  size_t back = s->pos > s->window ? s->pos - s->window : 0;
  lv_scan_reset(s, back > text->from ? back : text->from);
  look_back(s, text);
}

bool lv_scan_is_over(const lv_scan *s, size_t before) {
  if (s->now.n > 0) return way_at(s, &s->now, 0)[LV_WAY_START] >= before;
  return !may_begin(s, before);
}

void lv_scan_run(lv_scan *s, const lv_span *text, size_t to, size_t before) {
  forget_the_old(s, text);
  look_back(s, text);
  while (s->pos < to && !lv_scan_is_over(s, before)) {
    if (s->now.n == 0 && !s->p->may_be_empty && !s->p->anchored) {
      skip(s, text, before < to ? before : to);
      look_back(s, text);
      if (s->pos == to || s->pos >= before) return;
    }
    unsigned char c = byte_at(text, s->pos);
    clear(&s->next);
    step(s, c, before);
    swap_lists(s);
    s->examined++;
    s->previous = c;
    s->pos++;
    forget_the_old(s, text);
  }
}

/* The ways stay as they are: without a byte none gets further. */
bool lv_scan_end(lv_scan *s, size_t before) {
  clear(&s->next);
  if (!lv_scan_is_over(s, before)) step(s, NO_BYTE, before);
  return s->found;
}

/* ---- life ---- */

void lv_scan_reset(lv_scan *s, size_t pos) {
  clear(&s->now);
  s->pos = pos;
  s->previous = 0;
  s->found = false;
}

static int open_list(lv_scan *s, lv_way_list *list) {
  size_t deep = s->p->balanced > 0 ? DEEP_MOST + (size_t)s->p->balanced : 0;
  list->ways = calloc((s->p->n + deep) * s->row, sizeof *list->ways);
  return list->ways ? 0 : -ENOMEM;
}

int lv_scan_open(lv_scan *s, const lv_pattern *p, size_t window) {
  *s = (lv_scan){.p = p, .window = window > 0 ? window : 1};
  s->row = LV_WAY_CAPTURES + 2 * (size_t)p->captures;
  s->fresh = calloc(s->row, sizeof *s->fresh);
  s->best = calloc(s->row, sizeof *s->best);
  s->seen = calloc(p->n, sizeof *s->seen);
  s->queued = calloc(p->n, sizeof *s->queued);
  bool failed = open_list(s, &s->now) < 0 || open_list(s, &s->next) < 0 ||
                !s->fresh || !s->best || !s->seen || !s->queued;
  if (!failed) return 0;
  lv_scan_close(s);
  return -ENOMEM;
}

void lv_scan_close(lv_scan *s) {
  free(s->now.ways);
  free(s->next.ways);
  free(s->fresh);
  free(s->best);
  free(s->seen);
  free(s->queued);
  *s = (lv_scan){.p = NULL};
}
