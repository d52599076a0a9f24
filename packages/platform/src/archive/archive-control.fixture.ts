import { SelsynError } from '../kernel/errors.ts';
import type { FlushAnswer } from '../telemetry/upkeep-calls.ts';
import type { ArchivedObject } from './archive-index.ts';
import type { ArchiveControl, ErasureControl } from './archive-reading.ts';
import type { ArchiveStatus } from './archive-status.ts';
import type { Erasure } from './erasure.ts';
import type { BadObject } from './object-faults.ts';

export const ARCHIVE_STATUS: ArchiveStatus = {
  state: 'failing',
  target: 's3',
  place: 's3://bucket/',
  objects: 2,
  bytes: 300,
  points: 20,
  backlogHours: 3,
  lagMs: 7_200_400,
  openErasures: 1,
  badObjects: 1,
  rebuild: undefined,
  lastStoredAtMs: 1_700_000_000_000,
  failures: 4,
  lastError: { code: 'blobs.unavailable', message: 'no route to the host', atMs: 1_700_000_100_000 },
};

export const ARCHIVED: readonly ArchivedObject[] = [7, 9].map((id) => ({
  id,
  key: `device_type=meter/year=2023/month=11/day=14/0${id}-00000${id}.parquet`,
  deviceType: id === 7 ? 'meter' : undefined,
  day: 19_675,
  hour: id === 7 ? 7 : undefined,
  sizeBytes: 150,
  sha256: 'ab'.repeat(32),
  rows: 10,
  firstMs: 1_699_920_000_000,
  lastMs: 1_699_923_599_999,
  firstDevice: 'a',
  lastDevice: 'b',
  storedMs: 1_700_000_000_000,
  hidden: [],
}));

export const BAD_OBJECT: BadObject = {
  object: ARCHIVED[0]!,
  code: 'data.corrupt',
  message: 'it is not what was archived',
  sinceMs: 1_700_000_200_000,
  triedMs: 1_700_000_260_000,
  tries: 2,
  nextTryMs: 1_700_000_500_000,
};

/** Answers what is above, and keeps what it was asked. */
export class FakeArchive implements ArchiveControl, ErasureControl {
  readonly all: Erasure[] = [];
  readonly givenUp: number[] = [];
  runs = 0;
  rebuilds = 0;
  flushed: FlushAnswer = { done: true };
  held = new Set<string>();

  async status(): Promise<ArchiveStatus> {
    return ARCHIVE_STATUS;
  }

  async archiveNow(): Promise<FlushAnswer> {
    this.runs++;
    return this.flushed;
  }

  async rebuild(): Promise<void> {
    this.rebuilds++;
  }

  async badObjects(query: { readonly after: number; readonly limit: number }): Promise<readonly BadObject[]> {
    return [BAD_OBJECT].filter(({ object }) => object.id > query.after && !this.givenUp.includes(object.id));
  }

  async giveUp(id: number): Promise<BadObject> {
    const bad = id === BAD_OBJECT.object.id && !this.givenUp.includes(id) ? BAD_OBJECT : undefined;
    if (bad === undefined) throw new SelsynError('archive.object-not-found', `no archived object ${id}`);
    this.givenUp.push(id);
    return bad;
  }

  objects(query: { readonly after: number; readonly limit: number }): readonly ArchivedObject[] {
    return ARCHIVED.filter(({ id }) => id > query.after).slice(0, query.limit);
  }

  async begin({ device, requestedBy }: { readonly device: string; readonly requestedBy: string }): Promise<Erasure> {
    if (this.held.has(device)) throw new SelsynError('hold.active', 'a legal hold covers it');
    const erasure: Erasure = {
      id: String(this.all.length),
      device,
      reason: 'requested',
      requestedBy,
      state: 'hidden',
      begunAtMs: 1_700_000_000_000,
      hiddenAtMs: 1_700_000_000_001,
      storeErasedAtMs: undefined,
      doneAtMs: undefined,
      objectsChecked: 0,
      objectsRewritten: 0,
      archivedPointsErased: 0,
      lastError: undefined,
    };
    this.all.unshift(erasure);
    return erasure;
  }

  async get(id: string): Promise<Erasure> {
    const found = this.all.find((erasure) => erasure.id === id);
    if (found === undefined) throw new SelsynError('erasure.not-found', `there is no erasure ${id}`);
    return found;
  }

  async list(query: { readonly before?: string; readonly limit: number; readonly device?: string }): Promise<readonly Erasure[]> {
    const { before, device, limit } = query;
    return this.all
      .filter((erasure) => (device === undefined || erasure.device === device) && (before === undefined || erasure.id < before))
      .slice(0, limit);
  }
}
