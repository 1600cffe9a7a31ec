/* tests/c/test_signame.c — Signals by name. */
#include "os/signame.h"

#include <signal.h>

#include "tap.h"

static void every_signal_has_a_name_that_leads_back_to_it(void) {
  for (int signum = 1; signum <= SIGRTMAX; signum++) {
    const char *name = lv_signame_format(signum);
    is_int(lv_signame_parse(name), signum, "%d is %s", signum, name);
  }
}

static void names_are_those_that_libc_uses(void) {
  for (int signum = 1; signum < 32; signum++) {
    const char *name = sigabbrev_np(signum);
    /* glibc calls 29 POLL, as POSIX does; everybody else IO. */
    if (signum == SIGIO) name = "IO";
    is_str(lv_signame_format(signum), name, "%d", signum);
  }
}

static void a_prefix_and_small_letters_do_not_matter(void) {
  is_int(lv_signame_parse("TERM"), SIGTERM, "TERM");
  is_int(lv_signame_parse("SIGTERM"), SIGTERM, "SIGTERM");
  is_int(lv_signame_parse("sigterm"), SIGTERM, "sigterm");
  is_int(lv_signame_parse("Hup"), SIGHUP, "Hup");
  is_int(lv_signame_parse("winch"), SIGWINCH, "winch, in which an i stands");
}

static void aliases_are_understood(void) {
  is_int(lv_signame_parse("IOT"), SIGABRT, "IOT");
  is_int(lv_signame_parse("CLD"), SIGCHLD, "CLD");
  is_int(lv_signame_parse("POLL"), SIGIO, "POLL");
}

static void real_time_signals_count_from_both_ends(void) {
  is_int(lv_signame_parse("RTMIN"), SIGRTMIN, "RTMIN");
  is_int(lv_signame_parse("SIGRTMIN+0"), SIGRTMIN, "SIGRTMIN+0");
  is_int(lv_signame_parse("rtmin+12"), SIGRTMIN + 12, "rtmin+12");
  is_int(lv_signame_parse("RTMAX"), SIGRTMAX, "RTMAX");
  is_int(lv_signame_parse("RTMAX-1"), SIGRTMAX - 1, "RTMAX-1");
  is_str(lv_signame_format(SIGRTMIN), "RTMIN", "the first one");
  is_str(lv_signame_format(SIGRTMIN + 1), "RTMIN+1", "the second one");
}

static void those_of_libc_itself_are_called_by_number(void) {
  is_str(lv_signame_format(32), "32", "the first one");
  is_str(lv_signame_format(SIGRTMIN - 1), SIGRTMIN == 34 ? "33" : "34",
         "the last one");
}

static void other_words_are_no_signals(void) {
  static const char *const words[] = {
      "",
      "SIG",
      "SIGSIG",
      "TER",
      "TERMX",
      "SIGSIGTERM",
      "15",
      "0",
      "-1",
      " TERM",
      "TERM ",
      "EXIT",
      "RTMIN+",
      "RTMIN-1",
      "RTMAX+1",
      "RTMIN+31",
      "RTMIN1",
      "RTMAX-31",
      "RTMIN+x",
      "RT",
      "RTMIN+1x",
      "RTMIN+999",
      "RTMIN+4294967296",
  };
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    is_int(lv_signame_parse(words[i]), -1, "'%s'", words[i]);
  ok(lv_signame_format(0) == NULL, "0");
  ok(lv_signame_format(-1) == NULL, "-1");
  ok(lv_signame_format(SIGRTMAX + 1) == NULL, "one more than the last");
}

int main(void) {
  run(every_signal_has_a_name_that_leads_back_to_it);
  run(names_are_those_that_libc_uses);
  run(a_prefix_and_small_letters_do_not_matter);
  run(aliases_are_understood);
  run(real_time_signals_count_from_both_ends);
  run(those_of_libc_itself_are_called_by_number);
  run(other_words_are_no_signals);
  return tap_done();
}
