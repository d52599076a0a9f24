/*
 * Claim: with 1,000,000 devices in the registry, a page of a list, a search and a count take less than 50 ms.
 *
 * Workload: devices of 12 types in 5,000 groups on three levels, with three tags and six attributes each, one of which is
 * different for every device; a tenth of them connected, half of the others seen at some time. They are written in batches
 * of 1,000 (one transaction each, audit trail included) to a file. Then filters as people write them, one at a time: a page
 * of 100 from the start, one from the middle, and the count.
 */
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { systemActor } from '@selsyn/platform/audit/actor.ts';
import { migrate } from '@selsyn/platform/database/migrate.ts';
import { openSqliteDatabase } from '@selsyn/platform/database/drivers/sqlite/sqlite-database.ts';
import { systemClock } from '@selsyn/platform/kernel/clock.ts';
import { parseDeviceId } from '@selsyn/platform/kernel/device-id.ts';
import { ConnectivityStore } from '@selsyn/platform/registry/connectivity-store.ts';
import type { DeviceDraft } from '@selsyn/platform/registry/device.ts';
import { DeviceStore, type DeviceFilter } from '@selsyn/platform/registry/device-store.ts';
import { DeviceTypeStore } from '@selsyn/platform/registry/device-type-store.ts';
import { GroupStore } from '@selsyn/platform/registry/group-store.ts';
import { temporaryFolder } from './harness/child-server.ts';
import { onAbruptEnd } from './harness/exit-cleanup.ts';
import { describeMachine } from './harness/machine.ts';
import { amount } from './harness/phase.ts';
import { ms, quantile, whole, type ClaimResult, type Row } from './harness/report.ts';

const BATCH = 1000;
const DEVICES: number = amount(1_000_000);
const TARGET_MS = 50;
const ROUNDS = 40;
const DAY_MS = 86_400_000;
const TYPES = Array.from({ length: 12 }, (_, i) => (i === 0 ? 'boiler' : `type-${i}`));
const actor = systemActor('bench');

/** What is asked, and why it is hard. */
const QUERIES: Readonly<Record<string, DeviceFilter>> = {
  'all devices': {},
  'id prefix, by id': { idPrefix: 'unit-00012' },
  'tag, by id': { tag: 'demo' },
  'group and below': { group: '/site-7' },
  'one type': { filter: 'type = "boiler"' },
  'type, tag, group': { filter: 'type = "boiler" and tags has "demo" and group under "/site-7"' },
  'type, tag: many, then none left': { filter: 'type = "boiler" and tags has "odd" and tags has "even"' },
  'not connected boilers': { filter: 'type = "boiler" and not connected = true' },
  'firmware from 2.1': { filter: 'attributes.fw.version >= "2.1"' },
  'firmware below 2.1, connected': { filter: 'attributes.fw.version < "2.1" and connected = true' },
  'any of three sites, not two types': {
    filter: '(group under "/site-1" or group under "/site-2" or group under "/site-3") and type not in ("boiler", "type-3")',
  },
  'one serial number': { filter: 'attributes.serial = "S-0012345"' },
  'serial number like, of a million': { filter: 'attributes.serial like "S-00123*"' },
  'seven conditions': {
    filter:
      'type = "boiler" and group under "/site-7" and attributes.fw.version >= "2.1" and tags has "demo" and connected = true and id like "unit-*" and not (tags has "odd")',
  },
  'not seen for 30 days': { filter: 'lastSeen < -30d' },
  'not seen for 30 days, boilers of a site': { filter: 'lastSeen < -30d and type = "boiler" and group under "/site-7"' },
  'made in the last hour': { filter: 'createdAt > -1h' },
  'id like 10,000': { filter: 'id like "unit-0012*"' },
  'name like 1,000': { filter: 'name like "Unit 12 *"' },
  'number in a range': { filter: 'attributes.power >= 100 and attributes.power < 200' },
  'text in the middle of a name, all devices': { filter: 'name like "*99999*"' },
  'text in the middle of a name, one site': { filter: 'name like "*9999*" and group under "/site-7/hall-3"' },
};

/** Any of `count`, always the same for a device and a salt (the finalizer of MurmurHash3). */
function pick(i: number, salt: number, count: number): number {
  let hash = Math.imul(i ^ Math.imul(salt, 0x9e3779b1), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % count;
}

function draftOf(i: number): DeviceDraft {
  const site = pick(i, 1, 20);
  return {
    id: parseDeviceId(`unit-${String(i).padStart(7, '0')}`),
    name: `Unit ${pick(i, 2, 1000)} of ${i}`,
    type: TYPES[pick(i, 3, TYPES.length)],
    group: `/site-${site}/hall-${pick(i, 4, 10)}/row-${pick(i, 5, 25)}`,
    tags: [i % 2 === 0 ? 'even' : 'odd', ...(pick(i, 6, 10) === 0 ? ['demo'] : []), `batch-${Math.floor(i / 50_000)}`],
    attributes: {
      serial: `S-${String(i).padStart(7, '0')}`,
      fw: {
        version: `${1 + pick(i, 7, 3)}.${pick(i, 8, 12)}.${pick(i, 9, 5)}`,
        channel: pick(i, 10, 50) === 0 ? 'beta' : 'stable',
      },
      power: pick(i, 11, 500),
      site: `Site ${site}`,
      commissioned: pick(i, 12, 3) !== 0,
    },
  };
}

export async function registry(): Promise<ClaimResult> {
  const folder = temporaryFolder();
  const forget = onAbruptEnd(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'registry.db');
  const file = openSqliteDatabase(path);
  try {
    const { database } = file;
    await migrate(database);
    const dependencies = { database, clock: systemClock };
    const devices = new DeviceStore(dependencies);
    for (const name of TYPES) await new DeviceTypeStore(dependencies).create({ name }, actor);
    const batchesMs: number[] = [];
    const startedMs = performance.now();
    const cpuBefore = process.threadCpuUsage();
    for (let start = 0; start < DEVICES; start += BATCH) {
      const drafts = Array.from({ length: Math.min(BATCH, DEVICES - start) }, (_, i) => draftOf(start + i));
      const batchMs = performance.now();
      await devices.put(drafts, 'create', actor);
      batchesMs.push(performance.now() - batchMs);
    }
    const importSeconds = (performance.now() - startedMs) / 1000;
    const importCpu = process.threadCpuUsage(cpuBefore);
    const importCpuSeconds = (importCpu.user + importCpu.system) / 1e6;
    await connect(new ConnectivityStore({ database }));
    const rows: Row[] = [
      {
        what: `${whole(DEVICES)} devices written, 1,000 in a transaction`,
        selsyn: `${whole(DEVICES / importSeconds)} devices/s (${whole(DEVICES / importCpuSeconds)} for each second of CPU), p99 of a batch ${ms(quantile(batchesMs, 0.99))}`,
      },
      { what: 'size of the database', selsyn: `${whole(statSync(path).size / DEVICES)} bytes a device` },
    ];
    const measured: Record<string, unknown> = {
      devices: DEVICES,
      importSeconds,
      importCpuSeconds,
      databaseBytes: statSync(path).size,
    };
    for (const [what, query] of Object.entries(QUERIES)) {
      const timing = await timed(devices, query);
      measured[what] = { query, ...timing };
      const worst = Math.max(timing.list.p99Ms, timing.further.p99Ms, timing.count.p99Ms);
      rows.push({
        what: `${what} (${whole(timing.matches)})`,
        selsyn: `list ${spread(timing.list)}, further on ${spread(timing.further)}, count ${spread(timing.count)}; CPU ${ms(timing.count.cpuMs)}`,
        target: `p99 ${TARGET_MS} ms`,
        holds: worst < TARGET_MS,
      });
    }
    rows.push(...(await changes(devices, new GroupStore(dependencies))));
    return {
      claim: 'registry',
      workload: `${whole(DEVICES)} devices, 12 types, 5,000 groups, 3 tags and 6 attributes each; p50 / p99 of ${ROUNDS} calls`,
      machine: describeMachine(),
      rows,
      measured,
    };
  } finally {
    await file[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
    forget();
  }
}

async function connect(store: ConnectivityStore): Promise<void> {
  const nowMs = Date.now();
  for (let start = 0; start < DEVICES; start += 10_000) {
    const changes = Array.from({ length: Math.min(10_000, DEVICES - start) }, (_, i) => start + i)
      .filter((i) => pick(i, 13, 2) === 0)
      .map((i) => ({
        deviceId: draftOf(i).id,
        connected: pick(i, 14, 5) === 0,
        atMs: nowMs - pick(i, 15, 100) * DAY_MS,
      }));
    await store.record(changes);
  }
}

interface Spread {
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** The mean, of this thread: what remains of a call when nothing else runs on the machine. */
  readonly cpuMs: number;
}

async function timed(devices: DeviceStore, query: DeviceFilter) {
  const matches = await devices.count(query);
  const first = await devices.list({ ...query, limit: 100 });
  let { cursor } = first;
  for (let page = 0; page < 5 && cursor !== undefined; page++) {
    cursor = (await devices.list({ ...query, limit: 100, cursor })).cursor ?? cursor;
  }
  return {
    matches,
    list: await spent(async () => await devices.list({ ...query, limit: 100 })),
    further: await spent(async () => await devices.list({ ...query, limit: 100, cursor })),
    count: await spent(async () => await devices.count(query)),
  };
}

/** What is written while people look: one device, and a group with all below it. */
async function changes(devices: DeviceStore, groups: GroupStore): Promise<Row[]> {
  let next = DEVICES;
  const create = await spent(async () => await devices.create(draftOf(next++), actor));
  let tagged = 0;
  const update = await spent(async () => {
    await devices.update(draftOf(tagged).id, { attributes: { power: 7, serial: `T-${tagged++}` }, tags: ['new'] }, actor);
  });
  const moveMs = performance.now();
  await groups.move('/site-7', '/moved/site-7', actor);
  const movedMs = performance.now() - moveMs;
  return [
    { what: 'add one device', selsyn: spread(create) },
    { what: 'change one device', selsyn: spread(update) },
    { what: `move a group of ${whole(DEVICES / 20)} devices`, selsyn: ms(movedMs) },
  ];
}

async function spent(run: () => Promise<unknown>): Promise<Spread> {
  const times: number[] = [];
  let cpuUs = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const startMs = performance.now();
    const before = process.threadCpuUsage();
    await run();
    const { user, system } = process.threadCpuUsage(before);
    // The first fills caches that are filled on a server.
    if (round === 0) continue;
    times.push(performance.now() - startMs);
    cpuUs += user + system;
  }
  return { p50Ms: quantile(times, 0.5), p99Ms: quantile(times, 0.99), cpuMs: cpuUs / 1000 / times.length };
}

function spread({ p50Ms, p99Ms }: Spread): string {
  return `${ms(p50Ms)} / ${ms(p99Ms)}`;
}

if (import.meta.main) process.stdout.write(`${JSON.stringify(await registry(), undefined, 2)}\n`);
