/* core/relay.h — Move a reader's bytes to a writer, in the kernel where it
 * can. */
#ifndef LV_CORE_RELAY_H
#define LV_CORE_RELAY_H

#include "core/reader.h"
#include "core/writer.h"

#include <stdint.h>

typedef struct lv_relay lv_relay;

/* All is moved, or relay->error says why not. Called once, from the loop. */
typedef void (*lv_relay_fn)(lv_relay *relay, void *arg);

struct lv_relay {
  lv_reader *r;
  lv_writer *w;
  uint64_t total;
  int error;
  bool running;
  lv_timer first_turn;
  lv_relay_fn fn;
  void *arg;
  lv_reader_fn saved_reader_fn;
  lv_writer_fn saved_writer_fn;
  void *saved_reader_arg, *saved_writer_arg;
};

void lv_relay_init(lv_relay *relay, lv_reader *r, lv_writer *w, lv_relay_fn fn,
                   void *arg);
int lv_relay_start(lv_relay *relay); /* 0 or -errno */

/* The reader and the writer are as before; harmless when it has ended. */
void lv_relay_stop(lv_relay *relay);

#endif
