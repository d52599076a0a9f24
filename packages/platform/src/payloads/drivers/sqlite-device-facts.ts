import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { fromSqliteError } from '../../database/drivers/sqlite/sqlite-errors.ts';
import type { DeviceType } from '../../registry/device-type.ts';
import { typeOfRow } from '../../registry/device-type-store.ts';
import type { ScriptRunner } from '../../sandbox/script-runner.ts';
import { decoderOfRow } from '../decoder-store.ts';
import type { DeviceFacts } from '../device-facts.ts';
import { decoderOfCodec } from '../make-decoder.ts';
import type { PayloadDecoder } from '../payload-decoder.ts';
import type { Sparkplug } from '../sparkplug/sparkplug-decoder.ts';
import { TopicDecoders } from '../topic-decoders.ts';
import { TypeFacts } from '../type-facts.ts';

/** More changes than that are not followed one by one: everything is asked for again. */
const ROWS_AT_ONCE = 5_000;

/**
 * What device types say, from the registry's file, in whatever thread: reads alone, and never waits for who writes.
 *
 *   version   SQLite's own count of commits (PRAGMA data_version): nothing else is looked at while it stays
 *   types     of all types and decoders the count, and the newest and the sum of their times: they are read again where one differs
 *   stream    registry_change, from the last row that was seen: devices that were put or removed. Where rows are missing (they are taken
 *             away once the state has followed them) everything is forgotten
 */
export class SqliteDeviceFacts implements DeviceFacts, Disposable {
  readonly #path: string;
  readonly #scripts: ScriptRunner | undefined;
  readonly #topics: TopicDecoders;
  #statements: Statements | undefined;
  #version: unknown;
  #typesVersion = '';
  #position = 0;
  #types: ReadonlyMap<string, TypeFacts> = new Map();
  #untyped = new TypeFacts(undefined);

  /** Without them scripts and messages of Sparkplug are refused. */
  constructor(path: string, { scripts, sparkplug }: { readonly scripts?: ScriptRunner; readonly sparkplug?: Sparkplug } = {}) {
    this.#path = path;
    this.#scripts = scripts;
    this.#topics = new TopicDecoders(sparkplug);
  }

  follow(): readonly string[] {
    return this.#read((statements) => {
      const version = statements.version.get()?.['data_version'];
      if (version === this.#version) return [];
      const typesVersion = JSON.stringify(statements.typesVersion.get());
      if (typesVersion !== this.#typesVersion) {
        this.#readTypes(statements);
        this.#typesVersion = typesVersion;
      }
      const devices = this.#readStream(statements);
      this.#version = version;
      return devices;
    });
  }

  of(device: string): TypeFacts {
    // Nothing to be known of anybody.
    if (this.#types.size === 0) return this.#untyped;
    const type = this.#read((statements) => statements.typeOf.get(device)?.['type']);
    if (typeof type !== 'string') return this.#untyped;
    return this.#types.get(type) ?? this.#untyped;
  }

  decoderOf(topic: string, facts: TypeFacts): PayloadDecoder | undefined {
    return this.#topics.of(topic, facts);
  }

  [Symbol.dispose](): void {
    this.#statements?.database.close();
    this.#statements = undefined;
  }

  #readTypes(statements: Statements): void {
    const decoders = new Map(
      statements.decoders
        .all()
        .map((row) => [String(row['name']), decoderOfRow(row as unknown as Parameters<typeof decoderOfRow>[0])]),
    );
    const types = statements.types.all().map((row): DeviceType => typeOfRow(row as unknown as Parameters<typeof typeOfRow>[0]));
    this.#forget();
    this.#types = new Map(
      types.map(({ name, telemetry: metrics, codec, maxSeries: series, maxSeriesPerDevice: perDevice }) => {
        const decoder =
          codec === undefined ? undefined : decoderOfCodec(codec, decoders, { metrics, type: name, scripts: this.#scripts });
        return [name, new TypeFacts(name, metrics, decoder, { series, perDevice })];
      }),
    );
  }

  /** All that was given out is stale. */
  #forget(): void {
    this.#untyped.stale = true;
    this.#untyped = new TypeFacts(undefined);
    for (const facts of this.#types.values()) facts.stale = true;
    // What did not change itself is the same under a new face.
    this.#types = new Map([...this.#types].map(([name, facts]) => [name, facts.renewed()]));
  }

  #readStream(statements: Statements): readonly string[] {
    const { first, last } = statements.extent.get() as { first: number | null; last: number | null };
    const newest = last ?? 0;
    if (newest === this.#position) return [];
    const isWhole = newest > this.#position && first !== null && first <= this.#position + 1;
    if (!isWhole || newest - this.#position > ROWS_AT_ONCE) {
      this.#forget();
      this.#position = newest;
      return [];
    }
    const rows = statements.stream.all(this.#position, newest);
    this.#position = newest;
    return rows.map((row) => String(row['subject']));
  }

  #read<T>(read: (statements: Statements) => T): T {
    try {
      return read((this.#statements ??= new Statements(this.#path)));
    } catch (error) {
      // The next call opens it anew, and begins from nothing.
      this[Symbol.dispose]();
      this.#version = undefined;
      throw fromSqliteError(error, this.#path);
    }
  }
}

class Statements {
  readonly database: DatabaseSync;
  readonly version: StatementSync;
  readonly typesVersion: StatementSync;
  readonly types: StatementSync;
  readonly decoders: StatementSync;
  readonly typeOf: StatementSync;
  readonly extent: StatementSync;
  readonly stream: StatementSync;

  constructor(path: string) {
    this.database = new DatabaseSync(path, { readOnly: true });
    const { database } = this;
    this.version = database.prepare('PRAGMA data_version');
    this.typesVersion = database.prepare(
      `SELECT (SELECT count(*) || ':' || max(updated_at_ms) || ':' || total(updated_at_ms) FROM device_type) AS types,
        (SELECT count(*) || ':' || max(updated_at_ms) || ':' || total(updated_at_ms) FROM decoder) AS decoders`,
    );
    this.types = database.prepare('SELECT * FROM device_type');
    this.decoders = database.prepare('SELECT * FROM decoder');
    this.typeOf = database.prepare('SELECT type FROM device WHERE id = ?');
    this.extent = database.prepare('SELECT min(sequence) AS first, max(sequence) AS last FROM registry_change');
    this.stream = database.prepare(
      `SELECT DISTINCT subject FROM registry_change WHERE sequence > ? AND sequence <= ? AND kind <> 'group'`,
    );
  }
}
