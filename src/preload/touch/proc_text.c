#include "preload/touch/proc_text.h"

#include "lib/sys.h"

struct entry {
        uint64_t inode, offset;
        unsigned short length;
        unsigned char type;
        char name[];
};

void proc_path(char to[PROC_PATH], const char *directory, int number)
{
        char digits[16];
        size_t count = 0, length = 0;

        do
                digits[count++] = (char)('0' + number % 10);
        while ((number /= 10) > 0);
        while (directory[length] != '\0' && length + sizeof(digits) < PROC_PATH) {
                to[length] = directory[length];
                length++;
        }
        while (count > 0)
                to[length++] = digits[--count];
        to[length] = '\0';
}

long proc_read(const char *path, char *to, size_t size)
{
        long length = 0, got = 0;
        int fd = sys_open(path);

        if (fd < 0)
                return fd;
        while ((size_t)length + 1 < size && (got = SYS_3(__NR_read, fd, to + length, size - 1 - (size_t)length)) > 0)
                length += got;
        sys_close(fd);
        to[length] = '\0';
        return got < 0 ? got : length;
}

static size_t begins(const char *text, const char *prefix)
{
        size_t length = 0;

        for (; prefix[length] != '\0'; length++)
                if (text[length] != prefix[length])
                        return 0;
        return length;
}

const char *proc_line(const char *text, const char *prefix)
{
        for (; *text != '\0'; text++)
                if (*text == '\n' && begins(text + 1, prefix) > 0)
                        return text + 1;
        return NULL;
}

static unsigned digit(char c)
{
        if (c >= '0' && c <= '9')
                return (unsigned)(c - '0');
        return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : 16;
}

static uint64_t number_at(const char *text, unsigned base)
{
        uint64_t number = 0;

        while (digit(*text) < base)
                number = number * base + digit(*text++);
        return number;
}

uint64_t proc_number(const char *line, const char *name, unsigned base)
{
        while (*line != '\0' && *line != '\n' && begins(line, name) == 0)
                line++;
        line += begins(line, name);
        while (*line == ' ' || *line == '\t')
                line++;
        return number_at(line, base);
}

bool proc_is(const char *text, const char *other)
{
        size_t length = begins(text, other);

        return length > 0 && text[length] == '\0';
}

void proc_fds_begin(struct proc_fds *ret)
{
        ret->directory = (int)SYS_4(__NR_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
        ret->length = ret->at = ret->tried = 0;
}

void proc_fds_end(struct proc_fds *fds)
{
        if (fds->directory >= 0)
                sys_close(fds->directory);
}

static int next_tried(struct proc_fds *fds)
{
        while (fds->tried < PROC_TRIED)
                if (SYS_3(__NR_fcntl, fds->tried++, F_GETFD, 0) >= 0)
                        return fds->tried - 1;
        return -1;
}

int proc_fds_next(struct proc_fds *fds)
{
        if (fds->directory < 0)
                return next_tried(fds);
        for (;;) {
                if (fds->at >= fds->length) {
                        fds->length = SYS_3(__NR_getdents64, fds->directory, fds->entries, sizeof(fds->entries));
                        fds->at = 0;
                        if (fds->length <= 0)
                                return -1;
                }
                const char *entry = fds->entries + fds->at;
                unsigned short length;
                __builtin_memcpy(&length, entry + offsetof(struct entry, length), sizeof(length));
                fds->at += length;
                const char *name = entry + offsetof(struct entry, name);
                if (digit(*name) < 10)
                        return (int)number_at(name, 10);
        }
}
