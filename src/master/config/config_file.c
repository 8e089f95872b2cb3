#include "master/config/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/problem.h"
#include "base/text.h"
#include "os/clock.h"

/* More than any configuration, less than what hurts: a device or an endless pipe named by mistake ends here. */
#define FILE_MAX_MIB 16
/* How long the main file may keep us waiting: it may be a pipe (`preforkd -t -c <(…)`). */
#define PATIENCE_S 8

void config_file_check_writers(const char *path, const struct stat *status, struct problem_list *problems)
{
        bool group = status->st_mode & S_IWGRP && status->st_gid != 0;

        if (geteuid() != 0 || S_ISFIFO(status->st_mode) || S_ISCHR(status->st_mode))
                return;
        if (status->st_uid != 0)
                problem_warn(problems, path, 0,
                             "it belongs to uid %u, who can so decide what root executes; expected root as its owner",
                             status->st_uid);
        else if (status->st_mode & S_IWOTH || group)
                problem_warn(problems, path, 0,
                             "%s may write it (mode %04o), and so decide what root executes; expected mode 0%o",
                             status->st_mode & S_IWOTH ? "everybody" : "its group", status->st_mode & 07777,
                             status->st_mode & 07777 & ~(mode_t)(S_IWGRP | S_IWOTH));
}

/* 0; -ETIMEDOUT: nothing comes; -EFBIG; -errno. */
static int read_all(int fd, struct text *text)
{
        const uint64_t give_up_ms = clock_now_ms() + PATIENCE_S * UINT64_C(1000);
        char buffer[16384];

        for (;;) {
                struct pollfd poller = {.fd = fd, .events = POLLIN};
                uint64_t now_ms = clock_now_ms();
                int ready = poll(&poller, 1, now_ms < give_up_ms ? (int)(give_up_ms - now_ms) : 0);
                if (ready == 0)
                        return -ETIMEDOUT;
                ssize_t length = ready < 0 ? -1 : read(fd, buffer, sizeof(buffer));
                if (length < 0 && (errno == EINTR || errno == EAGAIN))
                        continue;
                if (length <= 0)
                        return length < 0 ? -errno : 0;
                if (text->length + (size_t)length > (size_t)FILE_MAX_MIB << 20)
                        return -EFBIG;
                int r = text_append_bytes(text, buffer, (size_t)length);
                if (r < 0)
                        return r;
        }
}

int config_file_load(const char *file, enum config_file_kind kind, struct text *text, struct problem_list *problems)
{
        _cleanup_(fd_closep) int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        struct stat status;

        if (fd < 0 || fstat(fd, &status) < 0)
                return -errno;
        if (!S_ISREG(status.st_mode) && kind == CONFIG_FILE_REGULAR)
                return -ENXIO;
        if (S_ISDIR(status.st_mode))
                return -EISDIR;
        if (S_ISFIFO(status.st_mode) && kind != CONFIG_FILE_MAIN)
                return -ETIMEDOUT;
        config_file_check_writers(file, &status, problems);
        return read_all(fd, text);
}

#define TEXT_OF(number) TEXT_OF_EXPANDED(number)
#define TEXT_OF_EXPANDED(number) #number

const char *config_file_error(int error)
{
        switch (-error) {
        case EFBIG:
                return "the file has more than " TEXT_OF(FILE_MAX_MIB) " MiB";
        case ETIMEDOUT:
                return "it is a pipe or a device from which nothing comes; expected a file";
        case ENXIO:
                return "it is no regular file";
        default:
                return strerror(-error);
        }
}

int config_file_read(const char *file, enum config_file_kind kind, struct text *text, struct problem_list *problems)
{
        int r = config_file_load(file, kind, text, problems);

        if (r == 0 || r == -ENOMEM)
                return r;
        problem_add(problems, file, 0, r == -EFBIG || r == -ETIMEDOUT ? "%s" : "cannot read it: %s",
                    config_file_error(r));
        return 1;
}
