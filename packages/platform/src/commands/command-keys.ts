import type { StateDatabase } from '../database/schema.ts';
import type { CommandStatements, KeyRow } from './command-statements.ts';
import type { CommandWork } from './command-work.ts';

/** The commands that were created with the idempotency keys that the works of a batch name. */
export class CommandKeys {
  readonly #keys = new Map<string, KeyRow>();

  static async load(
    works: readonly CommandWork[],
    transaction: StateDatabase,
    statements: CommandStatements,
  ): Promise<CommandKeys> {
    const keys = new CommandKeys();
    for (const work of works) {
      if (work.kind !== 'create' || work.draft.idempotencyKey === undefined) continue;
      const { device, idempotencyKey } = work.draft;
      const known = await statements.findByKey(transaction, device, idempotencyKey);
      if (known !== undefined) keys.put(device, idempotencyKey, known);
    }
    return keys;
  }

  get ids(): readonly string[] {
    return [...this.#keys.values()].map(({ id }) => id);
  }

  get(device: string, key: string): KeyRow | undefined {
    return this.#keys.get(`${device} ${key}`);
  }

  put(device: string, key: string, row: KeyRow): void {
    this.#keys.set(`${device} ${key}`, row);
  }
}
