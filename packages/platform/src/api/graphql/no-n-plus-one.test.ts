import type { Kysely, KyselyPlugin } from 'kysely';
import { expect, test } from 'vitest';
import { silentLogLines } from '../../kernel/log-lines.ts';
import { ConnectivityStore } from '../../registry/connectivity-store.ts';
import { DeviceStore } from '../../registry/device-store.ts';
import { FleetStore } from '../../registry/fleet-store.ts';
import { GroupStore } from '../../registry/group-store.ts';
import { allowedScope } from '../access-guard.ts';
import { ADMIN_KEY, openTestApi } from '../api.fixture.ts';
import { ask } from './graphql.fixture.ts';
import { GraphqlContext, type GraphqlServices } from './graphql-context.ts';
import { GraphqlServer } from './graphql-server.ts';
import { graphqlSchema } from './schema.ts';
import { Subscriptions } from './subscriptions.ts';

/** Counts the statements that go through a database. */
class StatementCount implements KyselyPlugin {
  statements = 0;
  transformQuery: KyselyPlugin['transformQuery'] = ({ node }) => node;
  transformResult: KyselyPlugin['transformResult'] = async ({ result }) => {
    this.statements++;
    return result;
  };
  over<S>(database: Kysely<S>): Kysely<S> {
    return database.withPlugin(this);
  }
}

const ALL_FIELDS = `query ($first: Int) {
  devices(first: $first) {
    cursor
    items {
      id name type group tags attributes connectivity { connected since lastSeen }
      latest { metric time value }
      shadow { version desired reported delta }
      config: shadow(name: "config") { version metadata }
      shadows(first: 5) { name version }
      jobs(first: 3) { jobId status job { id status counts document executions(first: 2) { items { deviceId device { id } } } } device { group } }
      commands(first: 3) { name state device { id } }
    }
  }
}`;

test('the number of statements is the same for ten devices as for a hundred, with all fields', async () => {
  await using api = await openTestApi();
  const ids = Array.from({ length: 100 }, (_, index) => `d${String(index).padStart(3, '0')}`);
  for (const id of ids) {
    await api.app.inject({
      method: 'POST',
      url: '/api/v1/devices',
      headers: { authorization: `Bearer ${ADMIN_KEY}` },
      payload: { id, group: `/g${id.at(-1)}`, tags: ['t'] },
    });
  }
  const { clock, database, telemetry, live, people, state } = api;
  for (const id of ids) {
    await ask(
      api,
      `mutation { a: updateShadow(device: "${id}", desired: { n: "${id}" }) { version } b: updateShadow(device: "${id}", name: "config", desired: { n: 1 }) { version } }`,
    );
    await ask(api, `mutation { sendCommand(device: "${id}", name: "x") { id } }`);
  }
  for (const job of ['j1', 'j2']) {
    const targets = JSON.stringify(ids.map((id) => `device:${id}`));
    await ask(api, `mutation { createJob(id: "${job}", targets: ${targets}, document: {}) { id } }`);
  }
  await expect
    .poll(async () => (await ask(api, '{ device(id: "d099") { jobs { jobId } } }')).data)
    .toEqual({
      device: { jobs: [{ jobId: 'j2' }, { jobId: 'j1' }] },
    });

  const count = new StatementCount();
  const registry = count.over(database);
  let questions = 0;
  const services: GraphqlServices = {
    devices: new DeviceStore({ database: registry, clock }),
    connectivity: new ConnectivityStore({ database: registry }),
    groups: new GroupStore({ database: registry, clock }),
    fleets: new FleetStore({ database: registry, clock }),
    people,
    telemetry: Object.assign(Object.create(telemetry) as typeof telemetry, {
      latest: async (devices: Parameters<typeof telemetry.latest>[0]) => (questions++, await telemetry.latest(devices)),
    }),
    live,
    state: { ...state.api, reader: count.over(state.api.reader) },
    clock,
    logLines: silentLogLines,
  };
  const caller = (await people.identities.find(ADMIN_KEY))!;
  const server = new GraphqlServer({ schema: graphqlSchema(), logLines: silentLogLines });
  const asked = async (first: number) => {
    count.statements = 0;
    questions = 0;
    const context = new GraphqlContext({
      services,
      subscriptions: new Subscriptions(services),
      access: {
        actor: caller.actor,
        caller,
        scope: allowedScope(caller, { permission: 'signed-in' }),
        renew: async () => undefined,
      },
      signal: new AbortController().signal,
    });
    const { body } = await server.answer({ query: ALL_FIELDS, variables: { first } }, undefined, context);
    const answer = JSON.parse(body as string) as {
      errors?: object;
      data: { devices: { items: { id: string; shadow: { desired: object } }[] } };
    };
    expect(answer.errors).toBeUndefined();
    const { items } = answer.data.devices;
    expect(items.map(({ id }) => id)).toEqual(ids.slice(0, first));
    expect(items.map(({ shadow }) => shadow.desired)).toEqual(ids.slice(0, first).map((id) => ({ n: id })));
    return { statements: count.statements, questions };
  };
  const ten = await asked(10);
  expect(await asked(100)).toEqual(ten);
  expect(ten.statements).toBeLessThan(25);
  expect(ten.questions).toBe(1);
});
