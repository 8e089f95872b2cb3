#include "worker/gate_memory.h"

#include "base/cleanup.h"
#include "lib/gate.h"
#include "os/memory_file.h"

static int write_table(int fd, const struct access_table *table, const struct access_table *otherwise)
{
        table = table ? table : otherwise;
        return memory_file_write(fd, (const char *)table, table->bytes);
}

bool gate_memory_is_needed(const struct pool_config *pool)
{
        return pool->access.table || pool->proxies.table || pool->banner.length > 0 || pool->full_response.length > 0;
}

static int write_texts(int fd, const struct pool_config *pool)
{
        const struct message *banner = &pool->banner, *response = &pool->full_response;
        const struct gate_texts texts = {.banner_bytes = (uint32_t)banner->length,
                                         .full_response_bytes = (uint32_t)response->length};

        int r = memory_file_write(fd, (const char *)&texts, sizeof(texts));
        if (r == 0)
                r = memory_file_write(fd, banner->bytes, banner->length);
        return r == 0 ? memory_file_write(fd, response->bytes, response->length) : r;
}

int gate_memory_open(const struct pool_config *pool, int *ret_fd)
{
        static const struct access_table everybody = {.version = ACCESS_TABLE_VERSION, .bytes = sizeof(everybody)};
        static const struct access_table nobody = {
                .version = ACCESS_TABLE_VERSION, .bytes = sizeof(nobody), .is_closed = true};
        _cleanup_(fd_closep) int fd = -1;

        if (!gate_memory_is_needed(pool))
                return 0;
        int r = memory_file_open("preforkd access", &fd);
        if (r == 0)
                r = write_table(fd, pool->access.table, &everybody);
        if (r == 0)
                r = write_table(fd, pool->proxies.table, &nobody);
        if (r == 0)
                r = write_texts(fd, pool);
        if (r == 0)
                r = memory_file_seal(fd);
        if (r == 0)
                *ret_fd = TAKE_FD(fd);
        return r;
}
