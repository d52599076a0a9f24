import { expect, test } from 'vitest';
import { AuditTrail } from '../audit/audit-trail.ts';
import { asAdmin, openTestApi, type TestApi } from './api.fixture.ts';

async function begin(api: TestApi, plan: Record<string, unknown>, headers: Record<string, string> = asAdmin) {
  const answer = await api.app.inject({
    method: 'POST',
    url: '/api/v1/device-imports',
    headers,
    payload: { format: 'csv', ...plan },
  });
  return { status: answer.statusCode, import: answer.json<{ id: string; position: number }>() };
}

async function send(
  api: TestApi,
  id: string,
  body: string | Buffer,
  query: string,
  type = 'text/csv',
  headers: Record<string, string> = asAdmin,
) {
  return await api.app.inject({
    method: 'POST',
    url: `/api/v1/device-imports/${id}/rows?${query}`,
    headers: { ...headers, 'content-type': type },
    payload: body,
  });
}

test('an import goes part by part, each answer says where the next one begins', async () => {
  await using api = await openTestApi();
  const text = 'id,name,group\np1,One,/acme\np2,Two,/acme\nbad id,,\n';
  const begun = await begin(api, { mode: 'create', name: 'devices.csv' });
  expect(begun).toMatchObject({ status: 201, import: { state: 'open', position: 0, mode: 'create', name: 'devices.csv' } });
  const { id } = begun.import;
  const first = await send(api, id, text.slice(0, 30), 'offset=0');
  const { position } = first.json<{ position: number }>();
  expect(first.json()).toMatchObject({ state: 'open', created: 1, rows: 2 });
  expect(position).toBeLessThan(30);
  expect((await send(api, id, text, 'offset=0')).json()).toMatchObject({ code: 'import.wrong-position', details: { position } });
  const last = await send(api, id, text.slice(position), `offset=${position}&last=true`);
  expect(last.json()).toMatchObject({ state: 'done', created: 2, refused: 1, rows: 4 });
  const get = async (path: string) => await api.app.inject({ url: `/api/v1/device-imports${path}`, headers: asAdmin });
  expect((await get(`/${id}`)).json()).toEqual(last.json());
  expect((await get('')).json()).toEqual({ items: [last.json()] });
  const lines = await get(`/${id}/refused`);
  expect([lines.headers['content-type'], JSON.parse(lines.body)]).toMatchObject([
    'application/x-ndjson; charset=utf-8',
    { row: 4, deviceId: 'bad id', field: 'id', code: 'device.invalid-id' },
  ]);
  const csv = await get(`/${id}/refused?format=csv`);
  expect(csv.body.split('\n').slice(0, 2)).toEqual([
    'row,deviceId,field,code,reason',
    expect.stringContaining('4,bad id,id,device.invalid-id,') as string,
  ]);
  const removed = await api.app.inject({ method: 'DELETE', url: `/api/v1/device-imports/${id}`, headers: asAdmin });
  expect([removed.statusCode, (await get(`/${id}`)).json<{ code: string }>().code]).toEqual([204, 'import.not-found']);
  expect(await api.devices.count()).toBe(2);
});

test('a token that came with an import is a password; the token that a device had before is none any more', async () => {
  await using api = await openTestApi();
  const token = 'imported-token-of-a-device';
  const { id } = (await begin(api, {})).import;
  await send(api, id, `id,token\np1,${token}\n`, 'offset=0&last=true');
  const row = await api.database.selectFrom('device_token').selectAll().executeTakeFirstOrThrow();
  expect(row).toMatchObject({ device_id: 'p1', scram_salt: null });
  expect(JSON.stringify(row)).not.toContain(token);
  expect(JSON.stringify(await new AuditTrail(api).list({ limit: 100 }))).not.toContain(token);
  const again = (await begin(api, {})).import;
  await send(api, again.id, `id,token\np1,${token}-2\n`, 'offset=0&last=true');
  expect(api.cut).toEqual(['p1']);
});

test('what is no import, too large, or of another kind is refused', async () => {
  await using api = await openTestApi();
  expect((await send(api, 'nobody', 'id\n', 'offset=0')).statusCode).toBe(404);
  const { id } = (await begin(api, {})).import;
  expect((await send(api, id, Buffer.alloc(4 * 1024 * 1024 + 1, 'x'), 'offset=0')).statusCode).toBe(413);
  expect((await send(api, id, 'id\n', 'offset=0', 'application/xml')).statusCode).toBe(415);
  expect((await send(api, id, 'id\n', 'offset=-1')).statusCode).toBe(400);
  expect((await send(api, id, 'name\n', 'offset=0&last=true')).json()).toMatchObject({ code: 'request.invalid' });
  for (const plan of [{ format: 'xml' }, { mode: 'replace' }, { fingerprint: 'x' }, { group: 'acme' }, { x: 1 }]) {
    expect((await begin(api, plan)).status, JSON.stringify(plan)).toBe(400);
  }
});

test('devices leave as they come in, by filter', async () => {
  await using api = await openTestApi();
  const { id } = (await begin(api, { format: 'jsonl' })).import;
  const line = '{"id":"p1","name":"One","group":"/acme","tags":["a"],"attributes":{"n":1}}\n';
  await send(api, id, `${line}{"id":"p2"}\n`, 'offset=0&last=true', 'application/x-ndjson');
  const get = async (query: string) => await api.app.inject({ url: `/api/v1/device-export?${query}`, headers: asAdmin });
  expect((await get('group=/acme')).body).toBe(line);
  expect((await get('format=csv&tag=a')).body).toBe('id,name,type,group,tags,attributes.n,attributes\np1,One,,/acme,a,1,\n');
  expect((await get('filter=x')).json()).toMatchObject({ code: 'request.invalid' });
  expect((await api.app.inject({ url: '/api/v1/device-export' })).statusCode).toBe(401);
});
