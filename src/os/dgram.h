/* os/dgram.h — Messages of sd_notify(3): datagrams between Unix sockets, with
 * the credentials of who sent them. */
#ifndef LV_OS_DGRAM_H
#define LV_OS_DGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

typedef struct {
  pid_t pid; /* of the sender, who may be gone */
  uid_t uid;
  bool is_cut; /* the message was longer than there was room for */
} lv_sender;

/* A non-blocking socket at an address: a path, or "@name" for an abstract one.
 * Its fd or -errno. */
int lv_dgram_listen(const char *address);

/* Take one message: its size, at most that of `to`; -EAGAIN if there is none.
 * What descriptors came with it are closed: for sd_notify_barrier(3) that is
 * the answer. */
ssize_t lv_dgram_receive(int fd, const struct iovec *to, lv_sender *from);

/* 0 or -errno; never waits. */
int lv_dgram_send(const char *address, const char *text, size_t size);

#endif
