#include "master/control/control_documents.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "master/pool/pool.h"
#include "master/pool/pool_table.h"
#include "master/pool/worker_table.h"
#include "master/status/status_collect.h"
#include "master/status/reply_json.h"
#include "master/status/scaling_json.h"
#include "master/status/json_value.h"
#include "master/status/status_json.h"
#include "master/status/status_scaling.h"
#include "os/clock.h"

json_t *control_document_status(const struct status_of_daemon *about, const struct pool_table *pools, const char *pool,
                                unsigned detail, size_t *ret_found)
{
        _cleanup_(status_clear) struct status status = {0};

        if (status_collect(about, pools, pool, detail, &status) < 0)
                return NULL;
        *ret_found = status.pool_count;
        return status_json_status(&status);
}

static json_t *why_json(const struct pool *pool, uint64_t now_ms, uint64_t wall_ms)
{
        const struct worker_counts counts = worker_table_count(pool);
        struct status_pool status = {0};

        status_scaling_collect(pool, counts.busy, now_ms, &status);
        return json_pack("{s:o, s:i, s:o, s:o, s:o, s:o}", "name", json_value_text(pool->name), "throttled",
                         (int)counts.throttled, "limits", status_json_limits(&status.limits), "adaptive",
                         scaling_json_adaptive(&status), "starts", scaling_json_starts(&status), "decisions",
                         reply_json_decisions(&pool->decisions, now_ms, wall_ms));
}

json_t *control_document_why(const struct pool_table *pools, const char *pool, size_t *ret_found)
{
        uint64_t now_ms = clock_now_ms(), wall_ms = clock_wall_ms();
        json_t *reply = status_json_ok(CONTROL_WHY), *list = json_array();
        int r = json_object_set_new(reply, "pools", list);

        *ret_found = 0;
        for (size_t i = 0; i < pools->count && r == 0; i++) {
                const struct pool *one = pools->items[i];
                if (pool && !text_equal(one->name, pool))
                        continue;
                (*ret_found)++;
                r = json_array_append_new(list, why_json(one, now_ms, wall_ms));
                if (r == 0 && *ret_found == 1)
                        r = json_object_set_new(reply, "machine",
                                                status_json_machine(one->runtime->memory_bytes, one->runtime->cpus));
        }
        if (r == 0)
                return reply;
        json_decref(reply);
        return NULL;
}
