import { AuditTrail } from '../../audit/audit-trail.ts';
import type { Database } from '../../database/schema.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { DeviceId } from '../../kernel/device-id.ts';
import { SelsynError } from '../../kernel/errors.ts';
import type { RandomBytes } from '../../kernel/secret.ts';
import { parseGroupPath, ROOT_GROUP } from '../group-path.ts';
import { scopeIncludes } from '../scope.ts';
import { BatchSize } from './batch-size.ts';
import { Breathing } from './breathing.ts';
import { readCsvHeader, type CsvHeader } from './csv-header.ts';
import type { DeviceImport, ImportCaller, ImportPlan, RefusedRow } from './device-import.ts';
import { MAX_PART_BYTES, MAX_ROW_BYTES } from './device-import.ts';
import { importEntries } from './import-audit.ts';
import { isRefused, type ImportRow } from './import-row.ts';
import {
  deleteImports,
  findBrokenOff,
  insertImport,
  keepRefused,
  listImports,
  listRefused,
  readImport,
  stepImport,
  untouchedSince,
  type StoredImport,
} from './import-store.ts';
import { readCsvRows, readJsonRows } from './read-rows.ts';
import { lineEnd, nextRow, type RowBytes, type RowForm } from './row-splitter.ts';
import { writeBatch, type BatchOutcome, type TokenKeeper } from './write-batch.ts';

/** A piece of the content of an import. */
export interface ImportPart {
  /** Where in the content it begins: what the import has as its position. */
  readonly offset: number;
  /** At most 4 MB. What is left at its end and is no whole row comes again with the next part. */
  readonly bytes: Uint8Array;
  /** Nothing follows. */
  readonly isLast: boolean;
}

interface Dependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly tokens: TokenKeeper;
  /** Called after devices that were there before have changed: live connections are looked at again. */
  readonly onAccessChanged: (devices: readonly DeviceId[]) => void;
  /** Called when a device has another token: resolves once no connection is left that was made with the old one. */
  readonly cutConnections: (device: DeviceId) => Promise<void>;
}

const ID_BYTES = 12;
/** A part is answered after this long with how far it was taken: nobody waits for minutes. */
const PART_DEADLINE_MS = 10_000;
const KEPT_MS = 30 * 24 * 3_600_000;
const FORGOTTEN_AT_ONCE = 5;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/**
 * Imports of devices, of any length, in parts.
 *
 * Invariant: what a batch of rows did, which of them were refused, and the position after it are one transaction. So
 * after a crash of either side the import goes on where it was, and no row counts twice. Nothing of an import is in memory
 * but the part that is being worked at.
 */
export class DeviceImports {
  readonly #dependencies: Dependencies;
  readonly #underWay = new Set<string>();
  readonly #size = new BatchSize();

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Begins an import, or finds again the one of the same caller that was broken off: same fingerprint, same plan.
   *
   * @throws SelsynError `request.invalid`, `access.denied`
   */
  async begin(plan: ImportPlan, caller: ImportCaller): Promise<{ readonly import: DeviceImport; readonly isNew: boolean }> {
    const { database, clock, random } = this.#dependencies;
    if (plan.group !== undefined && !scopeIncludes(caller.scope, parseGroupPath(plan.group))) {
      throw new SelsynError('access.denied', `you may not put devices in ${plan.group}`, { details: { group: plan.group } });
    }
    const brokenOff = await findBrokenOff(database, plan, caller);
    if (brokenOff !== undefined) return { import: brokenOff, isNew: false };
    const nowMs = clock.now();
    await deleteImports(database, await untouchedSince(database, nowMs - KEPT_MS, FORGOTTEN_AT_ONCE));
    const id = Buffer.from(random(ID_BYTES)).toString('hex');
    await database.transaction().execute(async (transaction) => {
      await insertImport(transaction, {
        id,
        format: plan.format,
        mode: plan.mode,
        dry_run: plan.dryRun ? 1 : 0,
        group_path: plan.group ?? null,
        name: plan.name ?? null,
        size_bytes: plan.sizeBytes ?? null,
        fingerprint: plan.fingerprint ?? null,
        state: 'open',
        header: null,
        position: 0,
        in_long_line: 0,
        rows: 0,
        created: 0,
        updated: 0,
        unchanged: 0,
        refused: 0,
        actor_kind: caller.actor.kind,
        actor_id: caller.actor.id,
        actor_name: caller.actor.name,
        created_at_ms: nowMs,
        updated_at_ms: nowMs,
        finished_at_ms: null,
      });
      const { format, mode, dryRun, name } = plan;
      await this.#note(transaction, caller, 'import.begin', id, { format, mode, dryRun, name });
    });
    return { import: await this.find(id, caller), isNew: true };
  }

  /** @throws SelsynError `import.not-found`, also for one of somebody else */
  async find(id: string, caller: ImportCaller): Promise<DeviceImport> {
    return (await readImport(this.#dependencies.database, id, caller)).shown;
  }

  /** Newest first. */
  async list(caller: ImportCaller, limit: number): Promise<readonly DeviceImport[]> {
    return await listImports(this.#dependencies.database, caller, limit);
  }

  /** In the order of the rows, the first 10,000 of them. @throws SelsynError `import.not-found` */
  async *refused(id: string, caller: ImportCaller): AsyncGenerator<RefusedRow> {
    await this.find(id, caller);
    const limit = 500;
    let afterRow = 0;
    for (;;) {
      const rows = await listRefused(this.#dependencies.database, id, { afterRow, limit });
      yield* rows;
      const last = rows.at(-1);
      if (last === undefined || rows.length < limit) return;
      afterRow = last.row;
    }
  }

  /** Forgets the import and what it refused; its devices stay. @throws SelsynError `import.not-found`, `import.busy` */
  async remove(id: string, caller: ImportCaller): Promise<void> {
    await this.find(id, caller);
    await this.#alone(id, async () => await deleteImports(this.#dependencies.database, [id]));
  }

  /**
   * Takes the rows that are whole in the part.
   *
   * @returns the import as it is then: the next part begins at its position. It is done only when a last part was taken to
   * its end, so the caller goes on until it is.
   * @throws SelsynError `import.not-found`, `import.busy` when another part is being taken, `import.wrong-position`,
   * `request.invalid` when the first line of CSV is no header, `request.too-large`
   */
  async take(id: string, part: ImportPart, caller: ImportCaller, signal?: AbortSignal): Promise<DeviceImport> {
    if (part.bytes.length > MAX_PART_BYTES)
      throw new SelsynError('request.too-large', `a part has at most ${MAX_PART_BYTES} bytes`);
    return await this.#alone(id, async () => {
      const stored = await readImport(this.#dependencies.database, id, caller);
      const { shown } = stored;
      if (shown.state === 'done') return shown;
      if (part.offset !== shown.position) {
        throw new SelsynError('import.wrong-position', `the import goes on at byte ${shown.position}, not ${part.offset}`, {
          details: { position: shown.position },
        });
      }
      await this.#takeRows(stored, part, caller, signal);
      return await this.find(id, caller);
    });
  }

  async #takeRows(
    { shown, header, inLongLine }: StoredImport,
    part: ImportPart,
    caller: ImportCaller,
    signal?: AbortSignal,
  ): Promise<void> {
    const { clock } = this.#dependencies;
    const { bytes, isLast } = part;
    const untilMs = clock.monotonicMs() + PART_DEADLINE_MS;
    const place = { ...shown };
    let at = shown.position === 0 && BYTE_ORDER_MARK.every((byte, index) => bytes[index] === byte) ? BYTE_ORDER_MARK.length : 0;
    if (inLongLine) at = lineEnd(bytes, at) ?? bytes.length;
    let isInLine = inLongLine && !endsLine(bytes, at);
    const columns = shown.format === 'csv' ? this.#header(header, bytes, at, isLast) : undefined;
    if (columns?.end !== undefined) {
      at = columns.end;
      place.rows += 1;
    }
    const form: RowForm =
      columns === undefined ? { format: 'jsonl' } : { format: 'csv', delimiter: columns.header.delimiter.charCodeAt(0) };
    let written = 0;
    for (;;) {
      const rows = rowsFrom(bytes, at, form, isLast, this.#size.rows);
      const end = rows.at(-1)?.end ?? at;
      const isEnd = isLast && end === bytes.length;
      const startedMs = clock.monotonicMs();
      const batch = { bytes, rows, firstRow: place.rows + 1 };
      const read = columns === undefined ? readJsonRows(batch) : readCsvRows(batch, columns.header);
      if (rows.at(-1)?.isTooLong === true) isInLine = !endsLine(bytes, end);
      place.position = part.offset + end;
      place.rows += rows.length;
      const step = { text: columns?.text ?? null, isInLine: isInLine && !isEnd, isEnd };
      if (isEnd || end > written) await this.#write(place, read, step, caller);
      this.#size.took(rows.length, clock.monotonicMs() - startedMs);
      if (end === 0 && !isEnd) throw tooShort(bytes.length);
      at = end;
      written = end;
      if (isEnd || rows.length === 0 || signal?.aborted === true || clock.monotonicMs() >= untilMs) return;
      // Whoever waits for this thread comes in between.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** @returns `end`: where the first line ends, if it is in these bytes. */
  #header(
    known: string | undefined,
    bytes: Uint8Array,
    at: number,
    isLast: boolean,
  ): { readonly header: CsvHeader; readonly text: string; readonly end?: number } {
    if (known !== undefined) return { header: readCsvHeader(known), text: known };
    const end = lineEnd(bytes, at) ?? (isLast ? bytes.length : undefined);
    if (end === undefined || end - at > MAX_ROW_BYTES) throw tooShort(bytes.length);
    const text = Buffer.from(bytes.subarray(at, end)).toString('utf8').trim();
    return { header: readCsvHeader(text), text, end };
  }

  async #write(
    place: DeviceImport & { created: number; updated: number; unchanged: number; refused: number },
    read: readonly (ImportRow | RefusedRow)[],
    step: { readonly text: string | null; readonly isInLine: boolean; readonly isEnd: boolean },
    caller: ImportCaller,
  ): Promise<void> {
    const { database, clock, tokens, onAccessChanged, cutConnections } = this.#dependencies;
    const rows = read.filter((row): row is ImportRow => !isRefused(row));
    let outcome: BatchOutcome | undefined;
    await database.transaction().execute(async (begun) => {
      const transaction = begun.withPlugin(new Breathing(clock));
      if (rows.length > 0) outcome = await writeBatch({ transaction, clock, tokens, plan: place, caller }, rows);
      const refused = [...read.filter(isRefused), ...(outcome?.refused ?? [])].sort((a, b) => a.row - b.row);
      await keepRefused(transaction, place.id, refused, place.refused);
      place.refused += refused.length;
      place.created += outcome?.created ?? 0;
      place.updated += outcome?.updated ?? 0;
      place.unchanged += outcome?.unchanged ?? 0;
      const { position, rows: done, created, updated, unchanged } = place;
      const nowMs = clock.now();
      await stepImport(transaction, place.id, {
        header: step.text,
        position,
        in_long_line: step.isInLine ? 1 : 0,
        rows: done,
        created,
        updated,
        unchanged,
        refused: place.refused,
        updated_at_ms: nowMs,
        ...(step.isEnd && { state: 'done', finished_at_ms: nowMs }),
      });
      if (outcome !== undefined && outcome.audit.length > 0) {
        const entries = importEntries(place.id, outcome.audit);
        await new AuditTrail({ database: transaction, clock }).record(entries, transaction);
      }
      if (step.isEnd) {
        const { dryRun } = place;
        const counts = { rows: done, created, updated, unchanged, refused: place.refused };
        await this.#note(transaction, caller, 'import.end', place.id, { dryRun, ...counts });
      }
    });
    if (outcome === undefined) return;
    if (outcome.changed.length > 0) onAccessChanged(outcome.changed);
    for (const device of outcome.renewed) await cutConnections(device);
  }

  async #note(transaction: Database, { actor, scope }: ImportCaller, action: string, id: string, after: unknown): Promise<void> {
    const [only, ...others] = scope.groups;
    const group = only !== undefined && others.length === 0 ? only : ROOT_GROUP;
    await new AuditTrail({ database: transaction, clock: this.#dependencies.clock }).record(
      [{ actor, action, object: { kind: 'import', id }, group, after }],
      transaction,
    );
  }

  async #alone<T>(id: string, work: () => Promise<T>): Promise<T> {
    if (this.#underWay.has(id)) {
      throw new SelsynError('import.busy', 'a part of this import is being taken', {
        retryable: true,
        details: { id: id.slice(0, 64) },
      });
    }
    this.#underWay.add(id);
    try {
      return await work();
    } finally {
      this.#underWay.delete(id);
    }
  }
}

function rowsFrom(bytes: Uint8Array, start: number, form: RowForm, isLast: boolean, limit: number): readonly RowBytes[] {
  const rows: RowBytes[] = [];
  let at = start;
  while (rows.length < limit && at < bytes.length) {
    const row = nextRow(bytes, at, form, isLast);
    if (row === undefined) break;
    rows.push(row);
    at = row.end;
  }
  return rows;
}

function endsLine(bytes: Uint8Array, end: number): boolean {
  return end > 0 && bytes[end - 1] === 0x0a;
}

function tooShort(length: number): SelsynError {
  return new SelsynError(
    'request.invalid',
    `no whole row is in these ${length} bytes: send more at once, and say last=true with what ends the content`,
    { details: { field: 'body' } },
  );
}
