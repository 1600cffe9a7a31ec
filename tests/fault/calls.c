/* tests/fault/calls.c — How each call may fail: the errnos of its manual page
 * that its environment can cause, not those of a wrong argument.
 *
 * survived: it is tried again, or nothing depends on it. raised: what was asked
 * for cannot be had, and the script is told. either: there is another way, at
 * least in places.
 *
 * Steps of a child are raw system calls: they bear a number. What they do in
 * the parent, too, is told by the same number. */
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <termios.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

#define CALL(name)             #name, LV_CALL_##name, LV_ANY
#define REQUEST(call, request) #call " " #request, LV_CALL_##call, request
#define RAW(call)              "raw " #call, LV_CALL_syscall, SYS_##call
#define SHORT                  LV_FAULT_SHORT

const lv_fault_site lv_fault_sites[] = {
    /* memory */
    {CALL(lua_alloc), .either = {ENOMEM}},
    {CALL(malloc), .either = {ENOMEM}},
    {CALL(calloc), .either = {ENOMEM}},
    {CALL(realloc), .either = {ENOMEM}},
    {CALL(mmap), .raised = {ENOMEM, EAGAIN}},
    {CALL(mprotect), .raised = {ENOMEM}},

    /* descriptors */
    {CALL(pipe2), .raised = {EMFILE, ENFILE, ENOMEM}},
    {CALL(open), .survived = {EINTR},
     .either = {EMFILE, ENFILE, ENOMEM, EACCES, ENXIO, ENOENT, EIO, ENODEV}},
    {CALL(openat), .survived = {EINTR}, .either = {EMFILE, ENFILE, ENOENT}},
    {CALL(opendir), .either = {EMFILE, ENFILE, ENOMEM, EACCES, ENOENT}},
    {CALL(eventfd), .either = {EMFILE, ENFILE, ENODEV, ENOMEM}},
    {CALL(epoll_create1), .raised = {EMFILE, ENFILE, ENOMEM}},
    {CALL(epoll_ctl), .either = {ENOMEM, ENOSPC}},
    {CALL(dup3), .survived = {EINTR, EBUSY}, .either = {EMFILE, ENOMEM}},
    {CALL(fstat), .either = {ENOMEM, EOVERFLOW}},
    {CALL(close), .survived = {EINTR}, .either = {EIO, ENOSPC, EDQUOT}},
    {REQUEST(fcntl, F_GETFD), .either = {EBADF}},
    {REQUEST(fcntl, F_GETFL), .either = {EBADF}},
    {REQUEST(fcntl, F_SETFL), .either = {EPERM, EBADF}},
    {REQUEST(fcntl, F_DUPFD_CLOEXEC), .either = {EMFILE, ENFILE, ENOMEM}},
    {REQUEST(fcntl, F_GETPIPE_SZ), .survived = {EBADF}},
    {REQUEST(fcntl, F_SETPIPE_SZ), .either = {EPERM, EBUSY, ENOMEM}},
    {REQUEST(ioctl, FIONREAD), .survived = {ENOTTY}},

    /* bytes */
    {CALL(read), .survived = {EINTR}, .either = {EAGAIN, EIO, SHORT}},
    {CALL(readv), .survived = {EINTR, EAGAIN, SHORT}, .either = {EIO, ENOMEM}},
    {CALL(writev), .survived = {EINTR, EAGAIN, SHORT}, .either = {EPIPE},
     .raised = {EIO, ENOSPC, EDQUOT, EFBIG, ENOMEM}},
    {CALL(recvmsg), .survived = {EINTR, EAGAIN, SHORT},
     .either = {ECONNRESET, ECONNREFUSED, ENOMEM}},
    {CALL(sendmsg), .survived = {EINTR, EAGAIN, SHORT},
     .raised = {EPIPE, ECONNRESET, ENOBUFS, ENOMEM}},
    {CALL(splice), .survived = {EINTR, EAGAIN, EINVAL, SHORT},
     .raised = {EPIPE, EIO, ENOMEM}},
    {CALL(poll), .survived = {EINTR, ENOMEM}},
    {CALL(fwrite), .raised = {EIO, ENOSPC, EPIPE}},
    {CALL(fflush), .either = {EIO, ENOSPC, EPIPE}},
    {CALL(uv_fs_read), .survived = {EINTR}, .raised = {EIO, ENOMEM, EISDIR}},
    {CALL(uv_fs_write), .survived = {EINTR, SHORT},
     .raised = {EIO, ENOSPC, EDQUOT, EFBIG, ENOMEM, EPIPE}},

    /* sockets */
    {CALL(socket), .either = {EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES}},
    {CALL(bind), .either = {EACCES, EADDRINUSE, EADDRNOTAVAIL}},
    {CALL(listen), .either = {EADDRINUSE}},
    {CALL(accept4), .survived = {EINTR, EAGAIN, ECONNABORTED, EPROTO, ENETDOWN,
                                 EPERM, EMFILE, ENFILE, ENOBUFS, ENOMEM}},
    {CALL(connect), .survived = {EINTR}, .either = {EAGAIN},
     .raised = {ECONNREFUSED, ETIMEDOUT, ENETUNREACH, EHOSTUNREACH,
                EADDRNOTAVAIL, EACCES}},
    {CALL(getsockopt), .either = {ENOBUFS, ENOMEM}},
    {CALL(setsockopt), .either = {ENOBUFS, ENOMEM}},
    {CALL(getsockname), .either = {ENOBUFS}},
    {CALL(shutdown), .either = {ENOBUFS}},
    {CALL(uv_getaddrinfo), .raised = {ENOMEM}},

    /* names of files */
    {CALL(stat), .either = {EACCES, EIO, ELOOP, ENOENT, ENOMEM, EOVERFLOW}},
    {CALL(lstat), .either = {EACCES, EIO, ELOOP, ENOENT, ENOMEM, EOVERFLOW}},
    {CALL(fstatat), .either = {EACCES, EIO, ENOENT, ENOMEM, EOVERFLOW}},
    {CALL(fdopendir), .raised = {ENOMEM}},
    {CALL(mkdir), .either = {EACCES, EDQUOT, EMLINK, ENOMEM, ENOSPC, EROFS}},
    {CALL(mkdtemp), .raised = {EACCES, EDQUOT, EEXIST, ENOMEM, ENOSPC, EROFS}},
    {CALL(rename),
     .raised = {EACCES, EBUSY, EDQUOT, EIO, ENOMEM, ENOSPC, EROFS, EXDEV}},
    {CALL(renameat),
     .raised = {EACCES, EBUSY, EDQUOT, EIO, ENOMEM, ENOSPC, EROFS, EXDEV}},
    {CALL(symlink), .raised = {EACCES, EDQUOT, EEXIST, EIO, ENOSPC, EROFS}},
    {CALL(readlink), .either = {EACCES, EINVAL, EIO, ENOENT, ENOMEM}},
    {CALL(realpath), .raised = {EACCES, EIO, ELOOP, ENOENT, ENOMEM}},
    {CALL(unlink), .either = {EACCES, EBUSY, EIO, ENOENT, EPERM, EROFS}},
    {CALL(unlinkat), .either = {EACCES, EBUSY, EIO, ENOENT, EPERM, EROFS}},
    {CALL(chmod), .raised = {EIO, ENOMEM, EPERM, EROFS}},
    {CALL(fchmod), .either = {EIO, EPERM, EROFS}},
    {CALL(fsync), .survived = {EINTR}, .either = {EIO, ENOSPC, EDQUOT, EINVAL}},
    {CALL(ftruncate), .survived = {EINTR}, .either = {EIO, EFBIG, EPERM}},
    {CALL(inotify_init1), .raised = {EMFILE, ENFILE, ENOMEM}},
    {CALL(inotify_add_watch), .raised = {EACCES, ENOENT, ENOMEM, ENOSPC}},

    /* the loop */
    {CALL(uv_loop_init), .raised = {EMFILE, ENFILE, ENOMEM}},
    {CALL(uv_poll_init), .raised = {EMFILE, ENOMEM, ENOSPC}},

    /* children, seen from us */
    {CALL(lv_clone3), .raised = {EAGAIN, ENOMEM},
     .survived = {ENOSYS, EINVAL, E2BIG, EPERM}},
    {CALL(clone), .raised = {EAGAIN, ENOMEM, EMFILE, ENFILE}},
    {CALL(waitpid), .survived = {EINTR, ECHILD}},
    {RAW(waitid), .survived = {EINTR, EINVAL}, .either = {ECHILD}},
    {RAW(pidfd_open), .raised = {EMFILE, ENFILE, ENODEV, ENOMEM, ESRCH}},
    {RAW(pidfd_send_signal), .survived = {ENOSYS}, .either = {EPERM, ESRCH}},
    {CALL(kill), .either = {EPERM}},

    /* children, in themselves */
    {RAW(rt_sigaction), .either = {EINVAL}},
    {RAW(setsid), .raised = {EPERM}},
    {RAW(setpgid), .raised = {EPERM, EACCES, ESRCH}},
    {RAW(ioctl), .raised = {EPERM, ENOTTY, EIO}},
    {RAW(getpgid), .either = {ESRCH}},
    {RAW(fcntl), .raised = {EMFILE}},
    {RAW(dup3), .raised = {EBADF}, .survived = {EINTR, EBUSY}},
    {RAW(close), .survived = {EINTR, EIO}},
    {RAW(close_range), .survived = {ENOSYS, EPERM}, .either = {ENOMEM, EMFILE}},
    {RAW(openat), .either = {EMFILE, ENFILE, ENOENT, EACCES, ENOMEM}},
    {RAW(getdents64), .survived = {ENOENT, EINVAL}},
    {RAW(write), .either = {EACCES, EIO, EINVAL}},
    {RAW(prlimit64), .raised = {EPERM, EINVAL}},
    {RAW(setpriority), .raised = {EACCES, EPERM}},
    {RAW(sched_setaffinity), .raised = {EINVAL, EPERM}},
    {RAW(chdir),
     .raised = {EACCES, EIO, ELOOP, ENAMETOOLONG, ENOENT, ENOMEM, ENOTDIR}},
    {RAW(prctl), .raised = {EINVAL, EPERM}},
    {RAW(execve), .either = {E2BIG, EACCES, EIO, EISDIR, ELOOP, ENOENT, ENOEXEC,
                             ENOMEM, ENOTDIR, EPERM, ETXTBSY}},

    /* terminals */
    {CALL(posix_openpt),
     .raised = {EMFILE, ENFILE, ENOSPC, ENOENT, EACCES, ENOMEM}},
    {CALL(grantpt), .raised = {EACCES}},
    {CALL(unlockpt), .raised = {ENOTTY}},
    {CALL(ptsname_r), .raised = {ENOTTY, ERANGE}},
    {CALL(tcgetattr), .raised = {ENOTTY, EIO}},
    {CALL(tcsetattr), .raised = {ENOTTY, EIO}},
    {REQUEST(ioctl, TIOCGPTN), .survived = {ENOTTY}},
    {REQUEST(ioctl, TIOCGPTPEER), .survived = {EINVAL, ENOTTY},
     .either = {EMFILE, ENFILE, ENOMEM, EIO}},
    {REQUEST(ioctl, TIOCSWINSZ), .raised = {ENOTTY, EIO}},

    /* what is set once */
    {CALL(sigaction), .either = {EINVAL}},
    {CALL(timer_create), .survived = {EAGAIN, ENOMEM}},
    {CALL(getrlimit), .survived = {EPERM}},
    {CALL(setrlimit), .survived = {EPERM}},
    {RAW(capget), .survived = {EPERM}},
    {CALL(getcwd), .raised = {ENOENT, EACCES, ENOMEM}},
};

const int lv_fault_nsites = sizeof lv_fault_sites / sizeof *lv_fault_sites;
