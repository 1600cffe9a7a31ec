/* core/sinkout.h — Where the output of a service goes, and by which rules. All
 * of it may block: it is called in a thread, one at a time. */
#ifndef LV_CORE_SINKOUT_H
#define LV_CORE_SINKOUT_H

#include "base/buf.h"
#include "base/stamp.h"
#include "core/io.h"
#include "os/logfile.h"
#include "os/logsock.h"
#include "os/rotate.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum {
  LV_SINK_FILE,
  LV_SINK_JOURNAL, /* or syslog */
  LV_SINK_NULL,
  LV_SINK_SHARED, /* our own stdout or stderr, by whole lines */
  LV_SINK_CLOSED  /* not open yet; no target to ask for */
} lv_sink_target;

typedef struct {
  lv_sink_target target;
  char *path;        /* of the file, or the journal's socket; malloc'd */
  char *other;       /* syslog's socket; malloc'd or NULL */
  char *name;        /* of the service; malloc'd */
  int fd;            /* that is shared */
  uint64_t max_size; /* of a file; 0: it is never rotated */
  lv_rotate_rules rules;
  lv_stamp_kind stamp;
  bool drop; /* what comes, when it cannot be written */
} lv_sink_settings;

void lv_sink_settings_fini(lv_sink_settings *set);

typedef struct {
  lv_sink_settings set;
  lv_sink_target kind; /* that is open; a change waits for the line's end */
  lv_logfile file;
  lv_logsock sock;
  lv_io io;
  bool wants_reopen; /* at the next line end */
  bool no_splice;    /* the file system has none */
  bool mid;          /* what is no file was left in the midst of a line */
  bool followed;     /* all that was written is collected in `fresh`, and a put
                        returns when it has begun a file */
  unsigned files;    /* how many were begun */
  uint64_t spliced;  /* bytes that never were in our memory */
  uint64_t rotations;
  uint64_t grown;   /* rotation failed: not again before the file is this big */
  int rotate_error; /* with what: 0 or -errno */
  lv_buf fresh;     /* the newest of what was written, unless to a file */
} lv_sinkout;

enum { LV_SINK_RECENT = 64 * 1024 };

/* Keep the newest bytes of those: that many, and at most twice as many. */
void lv_sinkout_keep_newest(lv_buf *b);

/* Takes the settings over. */
void lv_sinkout_init(lv_sinkout *out, const lv_sink_settings *set);
void lv_sinkout_fini(lv_sinkout *out);

/* Other settings, which are taken over. */
void lv_sinkout_change(lv_sinkout *out, const lv_sink_settings *set);

/* Have it open, and as it ought to be: 0 or -errno. `again`: it failed, so see
 * if what is there is still what its path names. */
int lv_sinkout_open(lv_sinkout *out, bool again);

/* Write all of `bytes`, less an unfinished line if that must wait for its rest:
 * `over`: there will be none. 0 or -errno; what was not written is left. */
int lv_sinkout_put(lv_sinkout *out, lv_buf *bytes, bool over);

/* Move bytes from a pipe; how many, 0 at its end, or -errno: -EAGAIN if it is
 * empty, -EINVAL if they must be read and put. */
ssize_t lv_sinkout_splice(lv_sinkout *out, int pipe);

/* Would a byte after those begin a line? */
bool lv_sinkout_at_start(lv_sinkout *out, const lv_buf *bytes);
/* Is it known, without a look at the file, that a line would begin? */
bool lv_sinkout_is_surely_at_start(const lv_sinkout *out);

#endif
