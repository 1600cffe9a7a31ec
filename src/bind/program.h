/* bind/program.h — What a child executes: argv, environment, the file. */
#ifndef LV_BIND_PROGRAM_H
#define LV_BIND_PROGRAM_H

#include "bind/opts.h"
#include "os/spawn.h"

/* Read the list part of the options, argv0, executable, env and clear_env. */
void lv_read_program(lv_opts *from, lv_spawn_opts *to);

#endif
