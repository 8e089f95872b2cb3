#include "master/pool/hangup_watch.h"

#include "base/cleanup.h"
#include "master/loop/evloop.h"
#include "os/net/hangup_set.h"

static void on_hangup(void *context)
{
        const struct hangup_watch *watch = context;

        if (hangup_set_take(watch->set))
                watch->hung_up(watch->context);
}

int hangup_watch_open(struct hangup_watch *watch, struct evloop *loop, void (*hung_up)(void *context), void *context)
{
        *watch = (struct hangup_watch){.set = hangup_set_open(), .hung_up = hung_up, .context = context};
        return watch->set < 0 ? watch->set : evloop_watch_new(loop, watch->set, on_hangup, watch, &watch->watch);
}

void hangup_watch_add(const struct hangup_watch *watch, int listener)
{
        hangup_set_add(watch->set, listener); /* if that fails, the end of a worker has to do */
}

void hangup_watch_close(struct hangup_watch *watch)
{
        evloop_watch_free(watch->watch);
        watch->watch = NULL;
        fd_closep(&watch->set);
}
