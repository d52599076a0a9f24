import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestApi } from './api.fixture.ts';

let folder = '';
let dashboardDir = '';
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'selsyn-dashboard-'));
  dashboardDir = path.join(folder, 'dist');
  mkdirSync(path.join(dashboardDir, 'assets'), { recursive: true });
  writeFileSync(path.join(folder, 'admin.key'), 'secret');
  writeFileSync(path.join(dashboardDir, 'index.html'), '<!doctype html><title>Selsyn</title>');
  writeFileSync(path.join(dashboardDir, '.env'), 'secret');
  writeFileSync(path.join(dashboardDir, 'assets', 'index-abc123.js'), 'export {};');
});
afterAll(() => rmSync(folder, { recursive: true }));

const browser = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };

test('hashed assets stay for ever, the page itself is asked for again', async () => {
  await using api = await openTestApi({ dashboardDir });
  const asset = await api.app.inject('/assets/index-abc123.js');
  expect([asset.statusCode, asset.body]).toEqual([200, 'export {};']);
  expect(asset.headers['cache-control']).toBe('public, max-age=31536000, immutable');
  const page = await api.app.inject({ url: '/', headers: browser });
  expect(page.body).toContain('<title>Selsyn</title>');
  expect(page.headers).toMatchObject({ 'cache-control': 'no-cache', 'content-type': 'text/html; charset=utf-8' });
});

test('the page may use what is of this origin and nothing else', async () => {
  await using api = await openTestApi({ dashboardDir });
  const { headers } = await api.app.inject({ url: '/', headers: browser });
  expect(String(headers['content-security-policy']).split('; ')).toEqual(
    expect.arrayContaining([
      "default-src 'self'",
      "script-src 'self'",
      "connect-src 'self'",
      "frame-ancestors 'none'",
      "object-src 'none'",
    ]),
  );
  expect(headers['x-content-type-options']).toBe('nosniff');
  expect(headers).not.toHaveProperty('strict-transport-security');
});

test('a browser that goes to an address of the dashboard gets the page', async () => {
  await using api = await openTestApi({ dashboardDir });
  for (const url of ['/devices/sensor.1', '/server?tab=log', '/devices/a%3Ab']) {
    const answer = await api.app.inject({ url, headers: browser });
    expect([answer.statusCode, answer.headers['cache-control']]).toEqual([200, 'no-cache']);
    expect(answer.body).toContain('<title>Selsyn</title>');
  }
});

test.each([
  ['/assets/gone-abc.js', browser],
  ['/api', browser],
  ['/api/v1/nothing', browser],
  ['/favicon.png', { accept: 'image/png' }],
  ['/devices/x', {}],
  ['/.env', {}],
  ['/../admin.key', {}],
  ['/%2e%2e/admin.key', {}],
  ['/..%2fadmin.key', {}],
  ['/assets/..%5c..%5cadmin.key', {}],
  ['/assets/%00', {}],
])('%s is not there', async (url, headers) => {
  await using api = await openTestApi({ dashboardDir });
  const answer = await api.app.inject({ url, headers });
  expect([400, 403, 404]).toContain(answer.statusCode);
  expect(answer.headers['content-type']).toContain('application/problem+json');
  expect(answer.body).not.toContain('secret');
});

test('without a built dashboard the API is all there is', async () => {
  await using api = await openTestApi({ dashboardDir: path.join(folder, 'none') });
  const answer = await api.app.inject({ url: '/', headers: browser });
  expect(answer.statusCode).toBe(404);
  expect(answer.json()).toMatchObject({ code: 'route.not-found' });
});
