import { openSqliteDatabase } from '../../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../../database/migrate.ts';
import type { Database } from '../../database/schema.ts';
import type { DeviceId } from '../../kernel/device-id.ts';
import { FakeClock } from '../../kernel/fake-clock.ts';
import { DeviceStore } from '../device-store.ts';
import { EVERYTHING, type Scope } from '../scope.ts';
import type { DeviceImport, ImportCaller, ImportPlan, RefusedRow } from './device-import.ts';
import { DeviceImports } from './device-imports.ts';

export interface TestImports extends AsyncDisposable {
  readonly database: Database;
  readonly clock: FakeClock;
  readonly devices: DeviceStore;
  readonly imports: DeviceImports;
  readonly tokens: Map<DeviceId, string>;
  readonly accessChanged: DeviceId[][];
  readonly cut: DeviceId[];
}

export async function openImports(path = ':memory:'): Promise<TestImports> {
  const open = openSqliteDatabase(path);
  await migrate(open.database);
  const { database } = open;
  const clock = new FakeClock();
  const tokens = new Map<DeviceId, string>();
  const accessChanged: DeviceId[][] = [];
  const cut: DeviceId[] = [];
  let calls = 0;
  const imports = new DeviceImports({
    database,
    clock,
    random: (count) => Buffer.alloc(count, ++calls),
    tokens: {
      keep: async (_, given) => {
        const others = [...given].filter(([id, token]) => tokens.get(id) !== token);
        for (const [id, token] of others) tokens.set(id, token);
        return others.map(([id]) => id);
      },
    },
    onAccessChanged: (devices) => void accessChanged.push([...devices]),
    cutConnections: async (device) => void cut.push(device),
  });
  const devices = new DeviceStore({ database, clock });
  return {
    database,
    clock,
    devices,
    imports,
    tokens,
    accessChanged,
    cut,
    [Symbol.asyncDispose]: () => open[Symbol.asyncDispose](),
  };
}

export function callerIn(scope: Scope = EVERYTHING, id = 'u1'): ImportCaller {
  return { actor: { kind: 'user', id, name: 'someone' }, scope };
}

/** Imports a whole text, in parts of so many bytes. */
export async function importText(
  { imports }: TestImports,
  text: string | Uint8Array,
  plan: Partial<ImportPlan> = {},
  options: { readonly caller?: ImportCaller; readonly partBytes?: number } = {},
): Promise<{ readonly result: DeviceImport; readonly refused: readonly RefusedRow[] }> {
  const { caller = callerIn(), partBytes = Infinity } = options;
  const begun = await imports.begin({ format: 'csv', mode: 'upsert', dryRun: false, ...plan }, caller);
  const result = await sendRest(imports, begun.import, Buffer.from(text), caller, partBytes);
  return { result, refused: await all(imports.refused(result.id, caller)) };
}

/** Sends what is missing of the content. */
export async function sendRest(
  imports: DeviceImports,
  begun: DeviceImport,
  bytes: Uint8Array,
  caller: ImportCaller,
  partBytes = Infinity,
): Promise<DeviceImport> {
  let now = begun;
  while (now.state !== 'done') {
    const end = Math.min(bytes.length, now.position + partBytes);
    const part = { offset: now.position, bytes: bytes.subarray(now.position, end), isLast: end === bytes.length };
    now = await imports.take(now.id, part, caller);
  }
  return now;
}

export async function all<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const gathered: T[] = [];
  for await (const item of items) gathered.push(item);
  return gathered;
}
