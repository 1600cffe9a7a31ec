/* core/sink.h — The output of a service on its way from a pipe to where it is
 * kept. See sink.c for how it moves.
 *
 * A sink outlives the processes that write to it: each gets the writing end of
 * a pipe, and the sink reads that to its end. While nothing comes it has a
 * watch on the pipe, and nothing else: no timer, no buffer, no thread. */
#ifndef LV_CORE_SINK_H
#define LV_CORE_SINK_H

#include "base/backlog.h"
#include "base/list.h"
#include "core/runtime.h"
#include "core/sinkout.h"
#include "core/watchset.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct lv_sink lv_sink;
typedef struct lv_sinks lv_sinks;

/* What there is to tell. */
enum {
  LV_SINK_TAPPED = 1,     /* `tap` has bytes */
  LV_SINK_PRESSED = 2,    /* `error`: it cannot be written now */
  LV_SINK_RELIEVED = 4,   /* it can again */
  LV_SINK_ROTATED = 8,    /* … */
  LV_SINK_UNROTATED = 16, /* rotate_error: it cannot be rotated */
  LV_SINK_LOST = 32,      /* `lost` at its end */
  LV_SINK_GAP = 64        /* `gap_bytes`, `gap_lines` are missing */
};

/* Called from the loop when a job is done, also if there is no news, and when
 * the loop itself has tapped something. */
typedef void (*lv_sink_fn)(lv_sink *s, unsigned news, void *arg);

/* What a job does besides moving bytes. */
enum {
  LV_SINK_OPEN = 1,
  LV_SINK_REOPEN = 2, /* at the next line end */
  LV_SINK_CHANGE = 4, /* take the new settings */
  LV_SINK_MERGE = 8,  /* a compressed file: lv_sink_merge */
  LV_SINK_LAST = 16,  /* take what is in the pipe, for it will be closed */
  LV_SINK_CLOSE = 32
};

typedef struct {
  char *file; /* malloc'd */
  dev_t dev;
  ino_t ino;
  int rc;
} lv_sink_merge_order;

struct lv_sink {
  /* the loop's */
  lv_rt *rt;
  lv_sinks *hub;
  lv_sink_fn fn; /* NULL: the owner has let go */
  void *arg;
  int in;       /* the pipe's reading end, or -1 */
  int end;      /* its writing end, for the next process, or -1 */
  lv_spot spot; /* of in */
  lv_timer
      timer;    /* until it is tried again, it is worth a job, a job is slow */
  lv_list link; /* in hub->waiting */
  lv_list followers; /* lv_follower.link */
  lv_sink_settings *change;
  lv_backlog backlog;  /* with `drop`: what the loop has read */
  lv_buf recent;       /* the newest of what was written, unless to a file */
  lv_buf tap;          /* a copy of what was read */
  lv_stamp_kind stamp; /* of what the loop reads */
  double delay;        /* s, until it is tried again */
  uint64_t done_at;    /* ns, uv_hrtime's clock: the last job */
  uint64_t moved;      /* by that */
  size_t lent;         /* bytes that were held when the job began */
  uint64_t last;       /* bytes in the pipe that is to be closed */
  size_t unread;       /* bytes in a pipe that was closed */
  uint64_t bytes;      /* that have come */
  uint64_t dropped;    /* of these */
  uint64_t gap_bytes, gap_lines; /* of the last gap */
  uint64_t lost;                 /* when it was closed */
  uint64_t rotations;
  uint64_t size;    /* of the file */
  unsigned files;   /* that followers know of */
  unsigned chores;  /* of the next job */
  unsigned doing;   /* of the job that there is */
  int error;        /* of the last job: 0 or -errno */
  int rotate_error; /* the same of rotation */
  bool due;         /* there may be something to move */
  bool drop;        /* the loop reads the pipe, not the job */
  bool wants_drop;  /* from the next job on */
  bool busy;        /* there is a job, or one waits for a thread */
  bool slow;        /* that takes long */
  bool wants_end;   /* as soon as there is none */
  bool told;        /* of the error */
  bool wide, may_widen;
  bool tapping;
  bool closing, closed;

  /* the job's, while there is one */
  lv_sinkout out;
  lv_buf held; /* read, and not written */
  lv_buf raw;  /* … and not even stamped, for want of memory */
  lv_sink_merge_order merge;
  atomic_bool hurry; /* somebody waits for the job */
};

/* Sinks share threads: all of them together never have all. */
lv_sinks *lv_sinks_new(void); /* NULL: no memory */
void lv_sinks_unref(lv_sinks *hub);

/* A sink without a pipe; nothing is opened yet. It takes over the settings. 0
 * or -ENOMEM. */
int lv_sink_open(lv_sink **out, lv_sinks *hub, lv_rt *rt,
                 const lv_sink_settings *set, lv_sink_fn fn, void *arg);

/* The writing end of a pipe for a process, which stays the sink's. If the last
 * one has not come to its end it is the same pipe: then it must wait for the
 * job, which may have locked that, and s->end is there when fn is called. 0;
 * -EAGAIN: not yet; or another -errno. */
int lv_sink_input(lv_sink *s, int *fd);
void lv_sink_handed(lv_sink *s); /* the process has it: close ours */

/* Somebody waits for what is in the pipe now. */
void lv_sink_hurry(lv_sink *s);

/* Have it do these chores, now or after the job that there is. */
void lv_sink_do(lv_sink *s, unsigned chores);
/* Other settings, which it takes over. 0, -ENOMEM, or -EBADF: it is closed. */
int lv_sink_change(lv_sink *s, const lv_sink_settings *set);
/* Let `file` be the compressed form of a rotated one. 0; -ENOMEM; or -EBUSY: it
 * does that already, until merge.file is freed and NULL. merge.rc says how it
 * went. */
int lv_sink_merge(lv_sink *s, const char *file, dev_t dev, ino_t ino);

/* Nothing more can come, and all that has come is written? */
bool lv_sink_is_drained(const lv_sink *s);
size_t lv_sink_held(const lv_sink *s); /* bytes that were read, not written */
/* Has it done what lv_sink_do asked for? */
bool lv_sink_has_done(const lv_sink *s, unsigned chores);

/* Copy what is read into `tap`: nothing more is read until that has been taken.
 */
void lv_sink_tap(lv_sink *s, bool on);
void lv_sink_taken(lv_sink *s); /* the tap was emptied */

/* Write what is in the pipe, if that is possible now, and close all; `lost`
 * says how many bytes it was not. fn is called when s->closed. */
void lv_sink_close(lv_sink *s);
/* The owner lets go: closes, and frees it when that is done. fn is not called
 * any more. */
void lv_sink_release(lv_sink *s);

/* ---- those who read along ---- */

enum { LV_FOLLOWED = 32 };

/* Of a file: descriptors of its own, at where it reads on; of other targets the
 * bytes themselves. */
typedef struct {
  lv_list link; /* in a sink's followers, or in itself */
  int files[LV_FOLLOWED];
  int n;
  lv_buf bytes;
  bool joins; /* when the job that there is is done */
  bool gap;   /* it was too slow: something is missing behind the first file, or
                 behind the bytes, to which nothing is added before it was seen */
  bool mid;   /* and what is missing ends in the midst of a line */
} lv_follower;

/* From now on, or from the end of the job that there is. */
void lv_sink_follow(lv_sink *s, lv_follower *f);
void lv_follower_next(lv_follower *f); /* the first file is read to its end */
void lv_follower_fini(lv_follower *f); /* twice is harmless */

/* ---- between sink.c and its other files ---- */

void lv_sink_go_on(lv_sink *s);

/* sinkinput.c: the pipe, and what the loop reads from it. */
void lv_sink_watch(lv_sink *s);
void lv_sink_take_input(lv_sink *s); /* it is time to */
void lv_sink_close_input(lv_sink *s);
void lv_sink_read_rest(lv_sink *s); /* with `drop`, before it is closed */
void lv_sink_widen(lv_sink *s);
void lv_sink_open_end(lv_sink *s); /* if it is wanted */
bool lv_sink_mend(lv_sink *s); /* a gap whose place has come: was there one? */

/* follower.c: tell those who read along what a job has done. */
void lv_sink_tell_followers(lv_sink *s);

/* sinkjob.c: the job, in a thread. It says this of itself. */
typedef struct {
  int rc;         /* 0 or -errno of writing */
  bool ended;     /* the pipe is at its end */
  bool more;      /* there may be more to move */
  bool full;      /* the pipe was found full */
  uint64_t moved; /* bytes taken from the pipe */
  lv_buf tap;     /* … and a copy of them, if they are tapped */
} lv_sink_report;

typedef struct {
  int in; /* to read, or -1 */
  unsigned chores;
  lv_sink_settings change;
  bool again; /* the last job failed */
  bool over;  /* nothing more will come */
  bool tapping, followed;
} lv_sink_task;

void lv_sink_work(lv_sink *s, const lv_sink_task *task, lv_sink_report *report);

#endif
