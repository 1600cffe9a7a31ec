/* base/list.h — An intrusive, circular, doubly linked list.
 *
 * A node lies inside what is listed, so adding allocates nothing and removing
 * needs no search. The head is a node of its own; a node that is in no list
 * points at itself, so removing it twice is harmless. */
#ifndef LV_BASE_LIST_H
#define LV_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct lv_list {
  struct lv_list *next, *prev;
} lv_list;

/* The struct of `type` whose `member` is *ptr. */
#define LV_OF(ptr, type, member) \
  ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void lv_list_init(lv_list *l) {
  l->next = l->prev = l;
}

static inline bool lv_list_is_empty(const lv_list *l) {
  return l->next == l;
}

static inline void lv_list_push(lv_list *head, lv_list *node) {
  node->next = head;
  node->prev = head->prev;
  head->prev->next = node;
  head->prev = node;
}

static inline void lv_list_del(lv_list *node) {
  node->prev->next = node->next;
  node->next->prev = node->prev;
  lv_list_init(node);
}

/* The first node, taken out; NULL if there is none. */
static inline lv_list *lv_list_pop(lv_list *head) {
  if (lv_list_is_empty(head)) return NULL;
  lv_list *node = head->next;
  lv_list_del(node);
  return node;
}

/* Move all of `from` into `to`, which is initialised by this: a list is walked
 * that way when what is called may change it. */
static inline void lv_list_take(lv_list *to, lv_list *from) {
  lv_list_init(to);
  if (lv_list_is_empty(from)) return;
  *to = *from;
  to->next->prev = to;
  to->prev->next = to;
  lv_list_init(from);
}

#endif
