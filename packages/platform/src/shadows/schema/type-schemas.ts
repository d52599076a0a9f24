import type { CompiledQuery } from 'kysely';
import type { Database } from '../../database/schema.ts';
import type { DeviceTypeDraft, ShadowSchema } from '../../registry/device-type.ts';
import { CompiledSchema } from '../../registry/json-schema/compiled-schema.ts';
import { withoutRequired } from '../../registry/json-schema/schema-bounds.ts';
import type { JsonObject } from '../shadow-document.ts';

/** What a shadow of devices of a type may hold. Compiled when first needed. */
export class ShadowSchemas {
  readonly type: string;
  readonly schema: ShadowSchema;
  #desired: CompiledSchema | undefined;
  #part: CompiledSchema | undefined;
  #reported: CompiledSchema | undefined;

  constructor(type: string, schema: ShadowSchema) {
    this.type = type;
    this.schema = schema;
  }

  /** @param desired all that is desired, own and inherited. */
  desiredFault(desired: JsonObject): string | undefined {
    const { schema, type } = this;
    if (schema.desired === undefined) return undefined;
    this.#desired ??= new CompiledSchema(schema.desired);
    return sentence(type, 'desired', this.#desired.fault(desired));
  }

  /** Of what is inherited alone: what it does not speak of may come from the device. */
  inheritedFault(inherited: JsonObject): string | undefined {
    const { schema, type } = this;
    if (schema.desired === undefined) return undefined;
    this.#part ??= new CompiledSchema(withoutRequired(schema.desired));
    return sentence(type, 'desired', this.#part.fault(inherited));
  }

  reportedFault(reported: JsonObject): string | undefined {
    const { schema, type } = this;
    if (schema.reported === undefined) return undefined;
    this.#reported ??= new CompiledSchema(schema.reported);
    return sentence(type, 'reported', this.#reported.fault(reported));
  }
}

function sentence(type: string, section: string, fault: string | undefined): string | undefined {
  return fault === undefined ? undefined : `Does not fit the ${section} schema of the device type ${type}: ${fault}`;
}

interface KnownType {
  readonly updatedAtMs: number;
  readonly shadows: ReadonlyMap<string, ShadowSchemas>;
}

/** The schemas of all types, each version of them compiled once. */
export class TypeSchemas {
  readonly #registry: Database;
  /** Put together once: every batch asks it. */
  readonly #newest: CompiledQuery<{ readonly newest: unknown; readonly count: unknown }>;
  #types: ReadonlyMap<string, KnownType> = new Map();
  #version = '';
  #count = 0;

  constructor(registry: Database) {
    this.#registry = registry;
    this.#newest = registry
      .selectFrom('device_type')
      .select((builder) => [builder.fn.max('updated_at_ms').as('newest'), builder.fn.countAll().as('count')])
      .compile();
  }

  /** Another text after each change. */
  get version(): string {
    return this.#version;
  }

  /** No type has a schema. */
  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Brings them up to date: one look at an index where nothing has changed. */
  async refresh(): Promise<void> {
    const [found] = (await this.#registry.executeQuery(this.#newest)).rows;
    const version = `${String(found?.newest)} ${String(found?.count)}`;
    if (version === this.#version) return;
    await this.#load();
    this.#version = version;
  }

  /** Undefined: anything goes. */
  of(type: string | undefined, shadow: string): ShadowSchemas | undefined {
    return type === undefined ? undefined : this.#types.get(type)?.shadows.get(shadow);
  }

  async #load(): Promise<void> {
    const rows = await this.#registry.selectFrom('device_type').selectAll().execute();
    const types = new Map<string, KnownType>();
    for (const { name, definition, updated_at_ms: updated } of rows) {
      const known = this.#types.get(name);
      const updatedAtMs = Number(updated);
      types.set(name, known?.updatedAtMs === updatedAtMs ? known : { updatedAtMs, shadows: schemasOf(name, definition) });
    }
    this.#types = types;
    this.#count = [...types.values()].reduce((sum, { shadows }) => sum + shadows.size, 0);
  }
}

function schemasOf(type: string, definition: string): ReadonlyMap<string, ShadowSchemas> {
  const { shadowSchemas = [] } = JSON.parse(definition) as Omit<DeviceTypeDraft, 'name'>;
  return new Map(shadowSchemas.map((schema) => [schema.shadow ?? '', new ShadowSchemas(type, schema)]));
}
