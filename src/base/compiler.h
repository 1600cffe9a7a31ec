/* base/compiler.h — What we ask of the compiler beyond C11, by name. Both gcc
 * and clang understand all of it; elsewhere the names stand for nothing. */
#ifndef LV_BASE_COMPILER_H
#define LV_BASE_COMPILER_H

#ifdef __has_attribute
#define LV_HAS_ATTRIBUTE(name) __has_attribute(name)
#else
#define LV_HAS_ATTRIBUTE(name) 0
#endif

#ifdef __has_feature
#define LV_HAS_FEATURE(name) __has_feature(name)
#else
#define LV_HAS_FEATURE(name) 0
#endif

#if defined __SANITIZE_THREAD__ || LV_HAS_FEATURE(thread_sanitizer)
#define LV_TSAN 1
#else
#define LV_TSAN 0
#endif

/* For functions that run where a sanitizer's own bookkeeping must not be
 * touched, as in a child that still shares our memory. clang's no_sanitize
 * leaves calls to TSan at each entry and exit; its other attribute does not,
 * but clang 14 has ASan ignore that one. */
#if LV_HAS_ATTRIBUTE(no_sanitize)
#define LV_NO_SANITIZE_PLAIN \
  __attribute__((no_sanitize("address", "thread", "undefined")))
#else
#define LV_NO_SANITIZE_PLAIN
#endif
#if LV_HAS_ATTRIBUTE(disable_sanitizer_instrumentation)
#define LV_NO_SANITIZE \
  LV_NO_SANITIZE_PLAIN __attribute__((disable_sanitizer_instrumentation))
#else
#define LV_NO_SANITIZE LV_NO_SANITIZE_PLAIN
#endif

/* Has the compiler check a format string: the number of its argument, and of
 * the first one that it formats. */
#if LV_HAS_ATTRIBUTE(format)
#define LV_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#else
#define LV_PRINTF(fmt, first)
#endif

#endif
