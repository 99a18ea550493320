// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory is a file in shmem: a user mapping of it can be taken away and put
 * back without losing a byte, and needs no pin, since the references that the
 * kernel mapping holds keep the pages where they are.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/shmem_fs.h>
#include <linux/vmalloc.h>

#include "user_memory.h"

static int load_pages(struct user_memory *m)
{
	struct page *page;
	size_t i;

	for (i = 0; i < m->npages; i++) {
		page = shmem_read_mapping_page(m->file->f_mapping, i);
		if (IS_ERR(page))
			return PTR_ERR(page);
		m->pages[i] = page;
	}
	return 0;
}

static void drop_pages(struct user_memory *m)
{
	size_t i;

	for (i = 0; i < m->npages && m->pages[i]; i++)
		put_page(m->pages[i]);
	kvfree(m->pages);
}

static int map_kernel(struct user_memory *m)
{
	int err;

	m->pages = kvcalloc(m->npages, sizeof(*m->pages), GFP_KERNEL);
	if (!m->pages)
		return -ENOMEM;
	err = load_pages(m);
	if (err)
		goto err_pages;
	m->kernel = vmap(m->pages, m->npages, VM_MAP, PAGE_KERNEL);
	if (!m->kernel) {
		err = -ENOMEM;
		goto err_pages;
	}
	return 0;

err_pages:
	drop_pages(m);
	return err;
}

/* The page before the view and the one behind it are part of the reservation. */
static int map_user(struct user_memory *m)
{
	unsigned long addr;
	int err;

	addr = vm_mmap(NULL, 0, (m->npages + 2) * PAGE_SIZE, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS, 0);
	if (IS_ERR_VALUE(addr))
		return (int)addr;
	m->user = (void __user *)(addr + PAGE_SIZE);
	err = user_memory_allow(m, 0, m->npages, USER_WRITE);
	if (err)
		vm_munmap(addr, (m->npages + 2) * PAGE_SIZE);
	return err;
}

int user_memory_init(struct user_memory *m, size_t npages)
{
	int err;

	m->npages = npages;
	m->file = shmem_file_setup("vireo_kunit", npages * PAGE_SIZE, VM_NORESERVE);
	if (IS_ERR(m->file))
		return PTR_ERR(m->file);
	err = map_kernel(m);
	if (err)
		goto err_file;
	err = map_user(m);
	if (err)
		goto err_kernel;
	return 0;

err_kernel:
	vunmap(m->kernel);
	drop_pages(m);
err_file:
	fput(m->file);
	return err;
}

void user_memory_destroy(struct user_memory *m)
{
	vm_munmap((unsigned long)m->user - PAGE_SIZE, (m->npages + 2) * PAGE_SIZE);
	vunmap(m->kernel);
	drop_pages(m);
	fput(m->file);
}

int user_memory_allow(struct user_memory *m, size_t first, size_t n, enum user_access access)
{
	unsigned long addr = (unsigned long)m->user + first * PAGE_SIZE;
	unsigned long prot = PROT_READ;
	unsigned long ret;

	if (access == USER_NONE)
		return vm_munmap(addr, n * PAGE_SIZE);
	if (access == USER_WRITE)
		prot |= PROT_WRITE;
	ret = vm_mmap(m->file, addr, n * PAGE_SIZE, prot, MAP_SHARED | MAP_FIXED,
		      first * PAGE_SIZE);
	return IS_ERR_VALUE(ret) ? (int)ret : 0;
}
