/* core/relay.h — Move a reader's bytes to a writer, in the kernel where it
 * can. */
#ifndef LV_CORE_RELAY_H
#define LV_CORE_RELAY_H

#include "core/reader.h"
#include "core/writer.h"

#include <stdint.h>

typedef struct lv_relay lv_relay;

/* All is moved and handed to the kernel, or relay->error says why not: -EBADF
 * if the writer was closed. Called once, from the loop or from what closed the
 * writer. */
typedef void (*lv_relay_fn)(lv_relay *relay, void *arg);

struct lv_relay {
  lv_reader *r;
  lv_writer *w;
  uint64_t total; /* bytes given to the writer */
  int error;
  bool running;
  bool splices;   /* what comes is moved by the kernel */
  bool may_widen; /* not tried yet */
  lv_timer first_turn;
  lv_relay_fn fn;
  void *arg;
  lv_reader_fn saved_fn; /* the reader's own */
  void *saved_arg;
  lv_listener listener;
};

/* The reader is the relay's alone until it ends; a writer may have several, and
 * be written to meanwhile. */
void lv_relay_init(lv_relay *relay, lv_reader *r, lv_writer *w, lv_relay_fn fn,
                   void *arg);
int lv_relay_start(lv_relay *relay); /* 0 or -errno */

/* The reader and the writer are as before, and what was not moved is still
 * there; harmless when it has ended. */
void lv_relay_stop(lv_relay *relay);

#endif
