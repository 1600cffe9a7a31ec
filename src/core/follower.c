/* core/follower.c — Those who read along. See sink.h.
 *
 * A file is read through a descriptor of its own, so that it can be read to its
 * end whatever its name is by then, and if it has none. A job that has begun a
 * new file returns, so that no file is missed. */
#include "core/sink.h"

#include "os/fd.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST = 1 << 20 /* bytes that wait in memory for one */ };

static void drop_file(lv_follower *f, int i) {
  lv_fd_close(&f->files[i]);
  f->n--;
  memmove(f->files + i, f->files + i + 1,
          (size_t)(f->n - i) * sizeof *f->files);
}

/* It was opened anew, and is read to its end anyway. */
static bool has_file(const lv_follower *f, const lv_logfile *file) {
  struct stat st;
  return f->n > 0 && fstat(f->files[f->n - 1], &st) == 0 &&
         st.st_dev == file->dev && st.st_ino == file->ino;
}

static void add_file(lv_follower *f, int fd, uint64_t at) {
  int own = lv_fd_reopen(fd, O_RDONLY);
  if (own < 0) {
    f->gap = true;
    return;
  }
  lseek(own, (off_t)at, SEEK_SET);
  if (f->n == LV_FOLLOWED) {
    drop_file(f, 1); /* the first one may be read just now */
    f->gap = true;
  }
  f->files[f->n++] = own;
}

/* After a gap it goes on with a line. */
static void add_bytes(lv_follower *f, const lv_buf *bytes) {
  size_t n = lv_buf_size(bytes);
  if (n == 0) return;
  const char *at = lv_buf_bytes(bytes);
  size_t from = f->mid && !f->gap ? lv_line_first(at, n) : 0;
  bool none = f->gap || (f->mid && from == 0);
  if (!none && lv_buf_size(&f->bytes) + n - from <= MOST &&
      lv_buf_append(&f->bytes, at + from, n - from) == 0) {
    f->mid = false;
    return;
  }
  f->gap = f->gap || !none;
  f->mid = at[n - 1] != '\n';
}

static void keep_recent(lv_sink *s) {
  lv_buf *fresh = &s->out.fresh, *recent = &s->recent;
  size_t n = lv_buf_size(fresh);
  if (n > 0 && lv_buf_append(recent, lv_buf_bytes(fresh), n) == 0)
    lv_sinkout_keep_newest(recent);
  lv_buf_fini(fresh);
}

static void join(lv_sink *s, lv_follower *f) {
  f->joins = false;
  if (s->out.file.fd >= 0) add_file(f, s->out.file.fd, s->out.file.size);
}

void lv_sink_tell_followers(lv_sink *s) {
  bool begun = s->out.files != s->files;
  s->files = s->out.files;
  lv_list *at = s->followers.next;
  for (; at != &s->followers; at = at->next) {
    lv_follower *f = LV_OF(at, lv_follower, link);
    if (f->joins)
      join(s, f);
    else if (begun && s->out.file.fd >= 0 && !has_file(f, &s->out.file))
      add_file(f, s->out.file.fd, s->out.file.from);
    else
      add_bytes(f, &s->out.fresh);
  }
  keep_recent(s);
}

void lv_sink_follow(lv_sink *s, lv_follower *f) {
  *f = (lv_follower){.joins = s->busy};
  lv_list_push(&s->followers, &f->link);
  if (!s->busy) join(s, f);
}

void lv_follower_next(lv_follower *f) {
  if (f->n > 0) drop_file(f, 0);
}

void lv_follower_fini(lv_follower *f) {
  if (f->link.next) lv_list_del(&f->link);
  while (f->n > 0)
    lv_follower_next(f);
  lv_buf_fini(&f->bytes);
}
