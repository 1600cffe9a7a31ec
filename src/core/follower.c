/* core/follower.c — Those who read along. See sink.h.
 *
 * A file is read through a descriptor of its own, so that it can be read to its
 * end whatever its name is by then, and if it has none. A job that has begun a
 * new file returns, so that no file is missed. */
#include "core/sink.h"

#include "os/fd.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 1 << 20 /* bytes that wait in memory for one */ };

static void add_file(lv_follower *f, int fd, uint64_t at) {
  int own = lv_fd_reopen(fd, O_RDONLY);
  if (own < 0) {
    f->gap = true;
    return;
  }
  lseek(own, (off_t)at, SEEK_SET);
  if (f->n == LV_FOLLOWED) {
    lv_follower_next(f);
    f->gap = true;
  }
  f->files[f->n++] = own;
}

static void add_bytes(lv_follower *f, const lv_buf *bytes) {
  size_t n = lv_buf_size(bytes);
  if (n == 0) return;
  bool fits = lv_buf_size(&f->bytes) + n <= MOST;
  if (!fits || lv_buf_append(&f->bytes, lv_buf_bytes(bytes), n) < 0)
    f->gap = true;
}

static void keep_recent(lv_sink *s) {
  lv_buf *fresh = &s->out.fresh, *recent = &s->recent;
  size_t n = lv_buf_size(fresh), most = 64 * 1024;
  if (n > 0 && lv_buf_append(recent, lv_buf_bytes(fresh), n) == 0) {
    size_t size = lv_buf_size(recent);
    if (size > 2 * most) lv_buf_consume(recent, size - most);
  }
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
    else if (begun && s->out.file.fd >= 0)
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
  if (f->n == 0) return;
  lv_fd_close(&f->files[0]);
  f->n--;
  memmove(f->files, f->files + 1, (size_t)f->n * sizeof *f->files);
}

void lv_follower_fini(lv_follower *f) {
  if (f->link.next) lv_list_del(&f->link);
  while (f->n > 0)
    lv_follower_next(f);
  lv_buf_fini(&f->bytes);
}
