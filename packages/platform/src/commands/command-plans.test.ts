import { CompiledQuery } from 'kysely';
import { expect, test } from 'vitest';
import { CommandStore, type CommandQuery } from './command-store.ts';
import { TestCommands } from './commands.fixture.ts';

/** How SQLite goes about what a list asks for. */
async function plansOf(t: TestCommands, query: Omit<CommandQuery, 'limit'>): Promise<readonly string[]> {
  const { database } = t.open;
  const asked: CompiledQuery[] = [];
  const watched = database.withPlugin({
    transformQuery: ({ node, queryId }) => {
      asked.push(database.getExecutor().compileQuery(node, queryId));
      return node;
    },
    transformResult: async ({ result }) => result,
  });
  await new CommandStore(watched).list({ limit: 10, ...query });
  const plans: string[] = [];
  for (const { sql, parameters } of asked) {
    const explained = CompiledQuery.raw(`explain query plan ${sql}`, [...parameters]);
    plans.push(...(await database.executeQuery<{ detail: string }>(explained)).rows.map(({ detail }) => detail));
  }
  return [...new Set(plans)];
}

test.each<[Omit<CommandQuery, 'limit'>, string]>([
  [{ states: ['succeeded', 'failed'] }, 'command_by_state (state=?)'],
  [{ name: 'reboot' }, 'command_by_name (name=? AND state=?)'],
  [{ name: 'reboot', states: ['succeeded'] }, 'command_by_name (name=? AND state=?)'],
  [{ name: 'reboot', states: ['failed'], fromMs: 5 }, 'command_by_name (name=? AND state=? AND id>?)'],
  [{ device: 'd1', name: 'reboot', states: ['failed'] }, 'command_by_device (device=?)'],
  [{ device: 'd1', states: ['queued', 'sent', 'delivered'] }, 'command_open (device=?)'],
])('no list of commands reads more than it gives, however many there are: %o', async (query, index) => {
  await using t = await TestCommands.open();
  expect(await plansOf(t, query)).toEqual([`SEARCH command USING INDEX ${index}`]);
});

test('a list by name is newest first, whatever the states', async () => {
  await using t = await TestCommands.open();
  const ids: string[] = [];
  for (let i = 0; i < 6; i++) ids.unshift((await t.send({ device: 'd1', name: i % 3 === 0 ? 'other' : 'go' })).id);
  await t.commands.calls.cancelCommand({
    device: 'd1',
    id: ids[1]!,
    doer: { actor: { kind: 'user', id: 'u', name: 'u' }, group: '/' },
  });
  const wanted = [ids[0], ids[1], ids[3], ids[4]];
  const first = await t.store.list({ name: 'go', limit: 3 });
  const rest = await t.store.list({ name: 'go', limit: 3, cursor: first.cursor });
  expect([...first.items, ...rest.items].map(({ id }) => id)).toEqual(wanted);
  expect((await t.store.list({ name: 'go', states: ['cancelled'], limit: 3 })).items.map(({ id }) => id)).toEqual([ids[1]]);
});
