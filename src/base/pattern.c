/* base/pattern.c — See pattern.h. What a pattern means is in Lua's manual; what
 * odd ones mean ("[]-a]", "%b" at the end) is what Lua's own matcher does. */
#include "base/pattern.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A pattern being read, from left to right. */
typedef struct {
  lv_pattern *p;
  const unsigned char *at, *end;
  int open[LV_CAPTURES]; /* captures that wait for their ")" */
  int nopen;
  const char *fault;
} source;

/* ---- sets of bytes ---- */

static void add_byte(lv_byte_set *set, unsigned char c) {
  set->word[c / 64] |= (uint64_t)1 << c % 64;
}

static void add_range(lv_byte_set *set, int from, int to) {
  for (int c = from; c <= to; c++)
    add_byte(set, (unsigned char)c);
}

static void invert(lv_byte_set *set) {
  for (int i = 0; i < 4; i++)
    set->word[i] = ~set->word[i];
}

static int is_zero(int c) {
  return c == 0;
}

static int (*class_named(int letter))(int c) {
  switch (letter) {
  case 'a': return isalpha;
  case 'c': return iscntrl;
  case 'd': return isdigit;
  case 'g': return isgraph;
  case 'l': return islower;
  case 'p': return ispunct;
  case 's': return isspace;
  case 'u': return isupper;
  case 'w': return isalnum;
  case 'x': return isxdigit;
  case 'z': return is_zero; /* of old; Lua still knows it */
  default: return NULL;
  }
}

/* What "%" and this letter stand for. */
static void add_class(lv_byte_set *set, unsigned char letter) {
  int (*is_in)(int) = class_named(tolower(letter));
  if (is_in == NULL) {
    add_byte(set, letter);
    return;
  }
  bool others = isupper(letter);
  for (int c = 0; c < 256; c++)
    if ((is_in(c) != 0) != others) add_byte(set, (unsigned char)c);
}

/* ---- reading ---- */

static bool fail(source *s, const char *fault) {
  s->fault = fault;
  return false;
}

static bool at_end(const source *s) {
  return s->at == s->end;
}

/* From behind "[" and "^" to the "]", at which it stops: the first byte is no
 * end, and neither is one behind a "%". */
static const unsigned char *end_of_set(const source *s) {
  const unsigned char *at = s->at;
  do {
    if (at == s->end) return NULL;
    if (*at++ == '%') at++;
    if (at >= s->end) return NULL;
  } while (*at != ']');
  return at;
}

/* Behind "[". */
static bool read_set(source *s, lv_byte_set *set) {
  bool others = !at_end(s) && *s->at == '^';
  if (others) s->at++;
  const unsigned char *end = end_of_set(s);
  if (end == NULL) return fail(s, "a \"]\" is missing");
  for (const unsigned char *at = s->at; at < end; at++) {
    if (*at == '%') {
      add_class(set, *++at);
    } else if (end - at > 2 && at[1] == '-') {
      add_range(set, at[0], at[2]);
      at += 2;
    } else {
      add_byte(set, *at);
    }
  }
  s->at = end + 1;
  if (others) invert(set);
  return true;
}

/* What stands for one byte. */
static bool read_single(source *s, lv_byte_set *set) {
  unsigned char c = *s->at++;
  if (c == '[') return read_set(s, set);
  if (c == '.')
    invert(set);
  else if (c != '%')
    add_byte(set, c);
  else if (at_end(s))
    return fail(s, "it ends with \"%\"");
  else
    add_class(set, *s->at++);
  return true;
}

static void add_item(source *s, lv_item item) {
  s->p->items[s->p->n++] = item;
}

/* One byte, and how often. "+" is one, and then any number. */
static bool read_bytes(source *s) {
  lv_item item = {.op = LV_ITEM_ONE};
  if (!read_single(s, &item.set)) return false;
  switch (at_end(s) ? 0 : *s->at) {
  case '?': item.op = LV_ITEM_MAYBE; break;
  case '*': item.op = LV_ITEM_MANY; break;
  case '-': item.op = LV_ITEM_FEW; break;
  case '+':
    add_item(s, item);
    item.op = LV_ITEM_MANY;
    break;
  default: s->at--; break;
  }
  s->at++;
  add_item(s, item);
  return true;
}

static bool read_open(source *s) {
  if (s->p->captures == LV_CAPTURES) return fail(s, "it has too many captures");
  int k = s->p->captures++;
  bool is_position = !at_end(s) && *s->at == ')';
  if (is_position) {
    s->at++;
    s->p->positions |= (uint32_t)1 << k;
  } else {
    s->open[s->nopen++] = k;
  }
  add_item(s, (lv_item){.op = is_position ? LV_ITEM_POSITION : LV_ITEM_OPEN,
                        .x = (unsigned char)k});
  return true;
}

static bool read_close(source *s) {
  if (s->nopen == 0) return fail(s, "a \")\" has no \"(\"");
  int k = s->open[--s->nopen];
  add_item(s, (lv_item){.op = LV_ITEM_CLOSE, .x = (unsigned char)k});
  return true;
}

static bool read_balanced(source *s) {
  if (s->end - s->at < 2) return fail(s, "\"%b\" needs two characters");
  add_item(s, (lv_item){.op = LV_ITEM_BALANCED, .x = s->at[0], .y = s->at[1]});
  s->at += 2;
  s->p->balanced++;
  return true;
}

static bool read_frontier(source *s) {
  lv_item item = {.op = LV_ITEM_FRONTIER};
  if (at_end(s) || *s->at++ != '[') return fail(s, "\"%f\" needs a \"[\"");
  if (!read_set(s, &item.set)) return false;
  add_item(s, item);
  return true;
}

static bool read_reference(source *s, unsigned char digit) {
  int k = digit - '1';
  bool is_known = k >= 0 && k < s->p->captures;
  for (int i = 0; i < s->nopen; i++)
    is_known = is_known && s->open[i] != k;
  s->p->refers = true;
  return is_known || fail(s, "a \"%\" and digit refer to no capture before it");
}

/* Behind "%", if it begins something that is not a byte. */
static bool read_special(source *s, bool *done) {
  unsigned char c = *s->at;
  *done = c == 'b' || c == 'f' || isdigit(c);
  if (!*done) return true;
  s->at++;
  if (c == 'b') return read_balanced(s);
  if (c == 'f') return read_frontier(s);
  return read_reference(s, c);
}

static bool read_next(source *s) {
  unsigned char c = *s->at;
  size_t left = (size_t)(s->end - s->at);
  if (c == '(' || c == ')') {
    s->at++;
    return c == '(' ? read_open(s) : read_close(s);
  }
  if (c == '$' && left == 1) {
    s->at++;
    add_item(s, (lv_item){.op = LV_ITEM_END});
    return true;
  }
  bool done = false;
  if (c == '%' && left > 1) {
    s->at++;
    if (!read_special(s, &done) || done) return s->fault == NULL;
    s->at--;
  }
  return read_bytes(s);
}

static bool read_all(source *s) {
  s->p->anchored = !at_end(s) && *s->at == '^';
  if (s->p->anchored) s->at++;
  while (!at_end(s)) {
    if (!read_next(s)) return false;
    if (s->p->n > LV_PATTERN_MOST) return fail(s, "it is too long");
  }
  if (s->nopen > 0) return fail(s, "a \"(\" has no \")\"");
  add_item(s, (lv_item){.op = LV_ITEM_FOUND});
  return true;
}

/* ---- what can be told beforehand ---- */

static void add_set(lv_byte_set *set, const lv_byte_set *more) {
  for (int i = 0; i < 4; i++)
    set->word[i] |= more->word[i];
}

static void look_at_first(lv_pattern *p) {
  for (const lv_item *item = p->items;; item++) {
    if (item->op <= LV_ITEM_FEW) add_set(&p->first, &item->set);
    if (item->op == LV_ITEM_BALANCED) add_byte(&p->first, item->x);
    if (item->op == LV_ITEM_FOUND) p->may_be_empty = true;
    if (item->op == LV_ITEM_ONE || item->op == LV_ITEM_BALANCED ||
        item->op >= LV_ITEM_END)
      break;
  }
  p->only_first = -1;
  for (int c = 0; c < 256; c++) {
    if (!lv_byte_set_has(&p->first, (unsigned char)c)) continue;
    if (p->only_first >= 0) {
      p->only_first = -1;
      return;
    }
    p->only_first = c;
  }
}

int lv_pattern_open(lv_pattern *p, const char *text, size_t n,
                    const char **fault) {
  const unsigned char *bytes = (const unsigned char *)text;
  *p = (lv_pattern){.only_first = -1};
  size_t most = n < LV_PATTERN_MOST ? n : LV_PATTERN_MOST;
  p->items = calloc(most + 3, sizeof *p->items);
  if (p->items == NULL) return -ENOMEM;
  source s = {.p = p, .at = bytes, .end = bytes + n};
  if (!read_all(&s)) {
    *fault = s.fault;
    lv_pattern_close(p);
    return -EINVAL;
  }
  if (!p->refers) look_at_first(p);
  return 0;
}

void lv_pattern_close(lv_pattern *p) {
  free(p->items);
  p->items = NULL;
}
