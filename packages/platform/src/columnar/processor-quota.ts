import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

interface Quota {
  readonly folder: string;
  /** Of cpu.max: what may be used of them, in processors. */
  readonly processors: number;
}

/**
 * How much of the quotas of processors that hold for this process is left: of its own control group and of those above it, in cgroup v2.
 *
 *   /proc/self/cgroup   0::/system.slice/selsyn.service    the group, from the root that is mounted (in a container: /)
 *   {group}/cpu.max     150000 100000                      so many µs in so many µs; max: no quota
 *   {group}/cpu.stat    usage_usec 123456                  what all of the group have used
 *
 * https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files
 */
export class QuotaTimes {
  readonly #quotas: readonly Quota[];

  constructor(options: { readonly root?: string; readonly own?: string } = {}) {
    const { root = '/sys/fs/cgroup', own = '/proc/self/cgroup' } = options;
    const group = /^0::(\/.*)$/m.exec(textOf(own) ?? '')?.[1];
    this.#quotas = group === undefined ? [] : foldersOf(root, group).flatMap(quotaOf);
  }

  /** What was not used of each since some time in the past, ms. @param nowMs monotonic */
  read(nowMs: number): { readonly processors: number; readonly unusedMs: number }[] {
    return this.#quotas.flatMap(({ folder, processors }) => {
      const used = /^usage_usec (\d+)$/m.exec(textOf(join(folder, 'cpu.stat')) ?? '')?.[1];
      return used === undefined ? [] : [{ processors, unusedMs: processors * nowMs - Number(used) / 1000 }];
    });
  }
}

/** The group and those above it. A container sees `/../..` for what is above its own root: that is not mounted. */
function foldersOf(root: string, group: string): string[] {
  const folders = [root];
  if (group.includes('..')) return folders;
  for (let folder = join(root, group); folder.length > root.length + 1; folder = dirname(folder)) folders.push(folder);
  return folders;
}

function quotaOf(folder: string): Quota[] {
  const [, quota, period] = /^(\d+) (\d+)$/m.exec(textOf(join(folder, 'cpu.max')) ?? '') ?? [];
  if (quota === undefined || !(Number(period) > 0)) return [];
  return [{ folder, processors: Number(quota) / Number(period) }];
}

/** Undefined where there is no such file, or it may not be read: there is no quota then that could be kept. */
function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
