/* core/sinkfile.h — The file of a sink, and its rotation: see sinkout.h. */
#ifndef LV_CORE_SINKFILE_H
#define LV_CORE_SINKFILE_H

#include "core/sinkout.h"

/* 0 or -errno, as lv_logfile_open. */
int lv_sinkfile_open(lv_sinkout *out);

/* Write the bytes, over as many files as the rules say. A line stands in one.
 * Returns early where the sink wants to be opened anew, and with a new file if
 * somebody follows. 0 or -errno; what was not written is left. */
int lv_sinkfile_put(lv_sinkout *out, lv_buf *bytes);

/* As lv_sinkout_splice: -EINVAL also near the end of a file, where lines must
 * be looked at. */
ssize_t lv_sinkfile_splice(lv_sinkout *out, int pipe);

#endif
