#include "preload/touch/standstill.h"

#include <sched.h>
#include <sys/wait.h>

#include "lib/sys.h"
#include "preload/touch/open_files.h"
#include "preload/touch/timers.h"

static int former_tid; /* of the template */

/* unshare(2) changes nothing here; it fails if somebody shares the memory. */
static enum touch_refusal look_at_processes(void)
{
        siginfo_t info;

        if (SYS_1(__NR_unshare, CLONE_VM) == -EINVAL)
                return TOUCH_THREADS;
        if (SYS_5(__NR_waitid, P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL, NULL) != -ECHILD)
                return TOUCH_CHILDREN;
        return TOUCH_FINE;
}

enum touch_refusal standstill_keep(void)
{
        enum touch_refusal refusal = look_at_processes();

        former_tid = sys_gettid();
        if (refusal == TOUCH_FINE)
                refusal = open_files_keep();
        if (refusal == TOUCH_FINE && !timers_stop())
                refusal = TOUCH_TOO_MANY;
        return refusal;
}

int standstill_culprit(void)
{
        return open_files_culprit();
}

enum touch_refusal standstill_renew(void)
{
        if (!open_files_renew())
                return TOUCH_CLOSED_FILE;
        return timers_go_on(former_tid) ? TOUCH_FINE : TOUCH_TOO_MANY;
}
