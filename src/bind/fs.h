/* bind/fs.h — What the files share that make up luvisor.core.fs. */
#ifndef LV_BIND_FS_H
#define LV_BIND_FS_H

#include <lua.h>

/* fswatch.c: make a watch of an inotify descriptor, which is taken over at once;
 * its path is at `path` on the stack. Pushes it. */
int lv_push_fs_watch(lua_State *L, int *fd, int path);
void lv_make_fs_watch_class(lua_State *L);

/* Set MASKS in the table on top: name of a kind of event → bit. */
void lv_set_fs_events(lua_State *L);

#endif
