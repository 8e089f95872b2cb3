#include "os/kernel_setting.h"

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/number.h"

int kernel_setting_read(const char *path, uint64_t *ret)
{
        char line[32];
        const char *rest = line;
        _cleanup_(file_closep) FILE *file = fopen(path, "re");

        if (!file)
                return -errno;
        return fgets(line, sizeof(line), file) ? number_next(&rest, ret) : -EINVAL;
}
