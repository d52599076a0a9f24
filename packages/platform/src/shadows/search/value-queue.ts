import { PreparedInsert } from '../../database/prepared-rows.ts';
import type { StateDatabase, StateSchema } from '../../database/schema.ts';

/** How far values were taken over by the registry, so that they are not kept any longer. */
export const VALUES_STREAM = 'shadow-values';

/**
 * Values on their way to the registry. Of a device and a field only the newest one is kept, with a sequence that grows by each change: who
 * has taken over all up to a sequence has missed nothing. Bounded by the devices and fields, however slowly it is read.
 */
export class ValueQueue {
  readonly #insert: PreparedInsert<StateSchema>;
  #last: number | undefined;

  /** @param database only puts the statement together. */
  constructor(database: StateDatabase) {
    this.#insert = new PreparedInsert((rows) =>
      database
        .insertInto('shadow_field_value')
        .values(Array.from({ length: rows }, () => ({ device: '', field_id: 0, value: '', sequence: 0 })))
        .onConflict((conflict) =>
          conflict
            .columns(['device', 'field_id'])
            .doUpdateSet((row) => ({ value: row.ref('excluded.value'), sequence: row.ref('excluded.sequence') })),
        )
        .compile(),
    );
  }

  /** Must be called within the transaction that changes the shadows, once for a device and a field. */
  async add(
    transaction: StateDatabase,
    values: Iterable<{ readonly device: string; readonly fieldId: number; readonly value: string | null }>,
  ): Promise<void> {
    let last = (this.#last ??= await lastSequence(transaction));
    const parameters: unknown[] = [];
    for (const { device, fieldId, value } of values) parameters.push(device, fieldId, value, ++last);
    // Where the transaction is undone, some sequences are never given.
    this.#last = last;
    await this.#insert.run(transaction, parameters);
  }

  /** All up to a sequence were taken over. */
  async taken(transaction: StateDatabase, sequence: number): Promise<void> {
    this.#last ??= await lastSequence(transaction);
    await transaction.deleteFrom('shadow_field_value').where('sequence', '<=', sequence).execute();
    await transaction
      .insertInto('state_position')
      .values({ stream: VALUES_STREAM, position: sequence })
      .onConflict((conflict) => conflict.column('stream').doUpdateSet({ position: sequence }))
      .execute();
  }
}

/** Up to where values were taken over and then taken away. */
export async function takenSequence(database: StateDatabase): Promise<number> {
  const row = await database
    .selectFrom('state_position')
    .select('position')
    .where('stream', '=', VALUES_STREAM)
    .executeTakeFirst();
  return Number(row?.position ?? 0);
}

/** The last one that was given. */
export async function lastSequence(database: StateDatabase): Promise<number> {
  const row = await database
    .selectFrom('shadow_field_value')
    .select('sequence')
    .orderBy('sequence', 'desc')
    .limit(1)
    .executeTakeFirst();
  return Math.max(Number(row?.sequence ?? 0), await takenSequence(database));
}
