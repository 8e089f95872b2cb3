#include "master/config/config_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/words.h"
#include "logic/config/parse.h"
#include "os/clock.h"

/* More than any configuration, less than what hurts: a device or an endless pipe named by mistake ends here. */
#define FILE_MAX_MIB 16
/* How long the main file may keep us waiting: it may be a pipe (`preforkd -t -c <(…)`). */
#define PATIENCE_S 8

#define SUFFIX ".conf"

/* Warn if others than root and our own user can change what root will act upon. */
static void check_writers(const char *path, const struct stat *status, struct problem_list *problems)
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

/* Open and read; without a wait for somebody who opens a FIFO for writing. */
static int load(const char *file, bool may_be_pipe, struct text *text, struct problem_list *problems)
{
        _cleanup_(fd_closep) int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        struct stat status;

        if (fd < 0 || fstat(fd, &status) < 0)
                return -errno;
        if (S_ISDIR(status.st_mode))
                return -EISDIR;
        if (S_ISFIFO(status.st_mode) && !may_be_pipe)
                return -ETIMEDOUT;
        check_writers(file, &status, problems);
        return read_all(fd, text);
}

static int read_file(struct config *config, const char *file, bool may_be_pipe, struct problem_list *problems)
{
        _cleanup_(text_clear) struct text text = {0};

        int r = load(file, may_be_pipe, &text, problems);
        switch (-r) {
        case 0:
                return config_parse(config, file, text_string(&text), text.length, problems);
        case ENOMEM:
                return r;
        case EFBIG:
                problem_add(problems, file, 0, "the file has more than %d MiB", FILE_MAX_MIB);
                return 0;
        case ETIMEDOUT:
                problem_add(problems, file, 0, "it is a pipe or a device from which nothing comes; expected a file");
                return 0;
        default:
                problem_add(problems, file, 0, "cannot read it: %s", strerror(-r));
                return 0;
        }
}

static bool is_included(const char *name)
{
        size_t length = strlen(name), suffix = strlen(SUFFIX);

        return name[0] != '.' && length > suffix && text_equal(name + length - suffix, SUFFIX);
}

static int compare(const void *a, const void *b)
{
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in the directory that are to be read, in their order. 0 or -errno. */
static int list_names(DIR *directory, struct words *names)
{
        for (;;) {
                errno = 0;
                const struct dirent *entry = readdir(directory);
                if (!entry && errno != 0)
                        return -errno;
                if (!entry)
                        break;
                int r = is_included(entry->d_name) ? words_add(names, entry->d_name) : 0;
                if (r < 0)
                        return r;
        }
        if (names->count > 0)
                qsort(names->list, names->count, sizeof(*names->list), compare);
        return 0;
}

static void closedirp(DIR **directory)
{
        if (*directory)
                closedir(*directory);
}

/* 0, also if there is none; -errno. */
static int list_directory(const char *path, struct words *names, struct problem_list *problems)
{
        _cleanup_(closedirp) DIR *directory = opendir(path);
        struct stat status;

        if (!directory) {
                int r = -errno;
                /* A symbolic link that leads nowhere is there, too. */
                return r == -ENOENT && lstat(path, &status) < 0 && errno == ENOENT ? 0 : r;
        }
        if (fstat(dirfd(directory), &status) < 0)
                return -errno;
        check_writers(path, &status, problems);
        return list_names(directory, names);
}

static int read_directory(struct config *config, const char *path, struct problem_list *problems)
{
        _cleanup_(words_clear) struct words names = {0};

        int r = list_directory(path, &names, problems);
        if (r < 0 && r != -ENOMEM) {
                problem_add(problems, path, 0, "cannot read the directory: %s", strerror(-r));
                return 0;
        }
        for (size_t i = 0; i < names.count && r == 0; i++) {
                _cleanup_(freep) char *file = NULL;
                r = asprintf(&file, "%s/%s", path, names.list[i]) < 0 ? -ENOMEM
                                                                      : read_file(config, file, false, problems);
        }
        return r;
}

int config_files_read(struct config *config, const char *main_file, struct problem_list *problems)
{
        const char *slash = strrchr(main_file, '/');
        _cleanup_(freep) char *home = NULL, *directory = NULL;
        struct stat status;

        home = slash ? strndup(main_file, (size_t)(slash - main_file) + 1) : strdup("");
        if (!home || asprintf(&directory, "%spools.d", home) < 0)
                return -ENOMEM;
        if (stat(slash ? home : ".", &status) == 0)
                check_writers(slash ? home : ".", &status, problems);
        int r = read_file(config, main_file, true, problems);
        return r == 0 ? read_directory(config, directory, problems) : r;
}
