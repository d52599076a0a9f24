import { expect, test } from 'vitest';
import { addDevice, asAdmin, openTestApi, type TestApi } from './api.fixture.ts';

async function ask(api: TestApi, method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, payload?: object) {
  const answer = await api.app.inject({ method, url: `/api/v1${path}`, headers: asAdmin, ...(payload && { payload }) });
  return { status: answer.statusCode, body: answer.body === '' ? undefined : answer.json<Record<string, unknown>>() };
}

test('an access key is made, listed, disabled and taken back', async () => {
  await using api = await openTestApi();
  const made = await ask(api, 'POST', '/access-keys', { name: 'tool', grants: [{ role: 'operator', group: '/' }] });
  expect(made).toMatchObject({ status: 201, body: { name: 'tool', group: '/', disabled: false } });
  const { secret, id, ...shown } = made.body as { secret: string; id: string };
  expect(secret).toHaveLength(40);
  expect((await ask(api, 'GET', '/access-keys')).body).toEqual({ items: [{ id, ...shown }] });
  expect(await ask(api, 'PATCH', `/access-keys/${id}`, { disabled: true })).toMatchObject({
    status: 200,
    body: { disabled: true },
  });
  expect(await ask(api, 'POST', `/access-keys/${id}/grants`, { role: 'viewer', group: '/a' })).toMatchObject({ status: 204 });
  expect(await ask(api, 'DELETE', `/access-keys/${id}/grants?role=viewer&group=/a`)).toMatchObject({ status: 204 });
  expect(await ask(api, 'DELETE', `/access-keys/${id}`)).toMatchObject({ status: 204 });
  for (const method of ['PATCH', 'DELETE'] as const)
    expect(await ask(api, method, `/access-keys/${id}`, method === 'PATCH' ? { disabled: true } : undefined)).toMatchObject({
      status: 404,
      body: { code: 'access-key.not-found' },
    });
});

test('a key is for a device or has roles, not both and not neither', async () => {
  await using api = await openTestApi();
  await addDevice(api, 'sensor1');
  const grants = [{ role: 'viewer', group: '/' }];
  for (const body of [{}, { grants, device: 'sensor1' }, { device: 'sensor1', group: '/' }])
    expect(await ask(api, 'POST', '/access-keys', { name: 'k', ...body })).toMatchObject({
      status: 400,
      body: { code: 'request.invalid' },
    });
  const made = await ask(api, 'POST', '/access-keys', { name: 'k', device: 'sensor1' });
  expect(made).toMatchObject({ status: 201, body: { device: 'sensor1', grants: [] } });
  expect((await ask(api, 'GET', '/access-keys?device=sensor1')).body).toMatchObject({ items: [{ device: 'sensor1' }] });
  expect((await ask(api, 'GET', '/access-keys?device=sensor2')).body).toEqual({ items: [] });
  expect(await ask(api, 'POST', '/access-keys', { name: 'k', device: 'nobody' })).toMatchObject({ status: 404 });
});
