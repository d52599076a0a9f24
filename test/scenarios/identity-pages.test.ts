import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN_KEY, eventually, Selsyn } from '../harness/selsyn.ts';
import { browserPath, launchBrowser, PAGES_TIMEOUT_MS, visitPage } from './pages.fixture.ts';

const PASSWORD = 'seven green boats at noon';
const TIMEOUT_MS = PAGES_TIMEOUT_MS;

describe.skipIf(browserPath === undefined)('the pages of identity', () => {
  let selsyn: Selsyn;
  let browser: Browser;

  const send = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const response = await selsyn.fetch(`/api/v1${path}`, {
      method,
      ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (response.status === 204 ? undefined : await response.json()) as T;
  };

  beforeAll(async () => {
    selsyn = await Selsyn.start();
    for (const [id, group] of [
      ['kiel-1', '/acme/kiel'],
      ['kiel-2', '/acme/kiel'],
      ['berlin-1', '/acme/berlin'],
      ['north-1', '/north'],
    ]) {
      await send('POST', '/devices', { id, group });
    }
    await send('POST', '/users', { name: 'hanna', password: PASSWORD, grants: [{ role: 'operator', group: '/acme/kiel' }] });
    browser = await launchBrowser();
  }, TIMEOUT_MS);
  afterAll(async () => {
    await browser?.close();
    await selsyn[Symbol.asyncDispose]();
  });

  const visit = async (path: string, work: (page: Page, context: BrowserContext) => Promise<void>) =>
    await visitPage(browser, `${selsyn.url}${path}`, work);
  const signIn = async (page: Page) => {
    await page.getByLabel('User name').fill('hanna');
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByTestId('signed-in-as').waitFor();
  };
  const devicesOn = async (page: Page) =>
    await page.locator('[data-device]').evaluateAll((rows) => rows.map((row) => row.getAttribute('data-device')));

  it(
    'whoever signs in with a role at a group sees that group and nothing else, until they sign out',
    async () => {
      await visit('/', async (page, context) => {
        await page.getByLabel('User name').fill('hanna');
        await page.getByLabel('Password', { exact: true }).fill('not the password of hanna');
        await page.getByRole('button', { name: 'Sign in', exact: true }).click();
        await page.getByText('the name or the password is wrong').waitFor();
        await signIn(page);
        await page.locator('[data-device="kiel-1"]').waitFor();
        expect(await devicesOn(page)).toEqual(['kiel-1', 'kiel-2']);
        await page.locator('[data-group="/acme/kiel"]').waitFor();
        expect(await page.locator('[data-group]').count()).toBe(1);
        const tabs = page.getByRole('navigation', { name: 'Pages' }).getByRole('link');
        expect(await tabs.allTextContents()).toEqual(['Devices', 'Telemetry', 'Jobs', 'Provisioning', 'Security', 'Audit']);
        expect(await page.getByRole('button', { name: 'Remove kiel-1' }).count()).toBe(0);

        // No script of the page can read what the browser is signed in by, and a reload keeps it.
        expect(await page.evaluate('[document.cookie, JSON.stringify([localStorage, sessionStorage])].join()')).not.toMatch(
          /session/i,
        );
        await page.reload();
        await page.locator('[data-device="kiel-2"]').waitFor();
        await page.goto(`${selsyn.url}/devices/north-1`);
        await page.getByText('No such device').waitFor();

        await page.getByTestId('signed-in-as').click();
        await page.getByText('operator at /acme/kiel').waitFor();
        await page.getByRole('button', { name: 'Sign out' }).click();
        await page.getByLabel('User name').waitFor();
        expect(await context.cookies()).toEqual([]);
      });
    },
    TIMEOUT_MS,
  );

  it(
    'sign-in by OpenID Connect is offered where the server has it, and says why it failed',
    async () => {
      await visit('/?sign-in-failed=access.denied', async (page) => {
        await page.getByText('you have no role here').waitFor();
        expect(await page.getByRole('link').count()).toBe(0);
        const oidc = { label: 'Sign in with Acme', url: '/api/v1/session/oidc' };
        await page.route('**/api/v1/session/methods', async (route) => await route.fulfill({ json: { password: true, oidc } }));
        await page.goto(`${selsyn.url}/devices/kiel-1`);
        const link = page.getByRole('link', { name: 'Sign in with Acme' });
        expect(await link.getAttribute('href')).toBe('/api/v1/session/oidc?returnTo=%2Fdevices%2Fkiel-1');
      });
    },
    TIMEOUT_MS,
  );

  it(
    'a filter finds devices, and one that is wrong is marked where it is',
    async () => {
      await visit(`/#key=${ADMIN_KEY}`, async (page) => {
        await page.locator('[data-device="north-1"]').waitFor();
        const search = page.getByRole('searchbox');
        await search.fill('group under "/acme" and id like "*-1"');
        await page.locator('[data-device="north-1"]').waitFor({ state: 'detached' });
        expect(await devicesOn(page)).toEqual(['kiel-1', 'berlin-1']);
        await search.fill('group under acme');
        await page.getByTestId('filter-fault').waitFor();
        expect(await page.getByTestId('filter-fault').locator('mark').textContent()).toBe('acme');
        await page.getByText('not valid at character 13').waitFor();
      });
    },
    TIMEOUT_MS,
  );

  it(
    'a certificate is revoked with a reason, by whoever may, and the history of it is kept',
    async () => {
      const { certificateId: id } = await send<{ certificateId: string }>('POST', '/devices/kiel-1/certificates', {});
      await visit('/devices/kiel-1?tab=certificates', async (page) => {
        await signIn(page);
        const row = page.locator(`[data-certificate="${id}"]`);
        await row.getByRole('button', { name: 'Revoke' }).click();
        await page.getByRole('combobox', { name: 'Reason' }).selectOption('keyCompromise');
        await page.getByRole('button', { name: 'Revoke for good' }).click();
        await page.locator(`[data-certificate="${id}"][data-state="revoked"]`).waitFor();
        await row.getByText('The key may be known to others').waitFor();
        await page.goto(`${selsyn.url}/audit?id=${id}`);
        await page.locator('[data-action="certificate.revoke"]').getByText('hanna').waitFor();
      });
      const kept = await selsyn.get<{ status: string; revocationReason: string }>(`/api/v1/certificates/${id}`);
      expect(kept).toMatchObject({ status: 'revoked', revocationReason: 'keyCompromise' });
    },
    TIMEOUT_MS,
  );

  it(
    'why a device is denied something is told with the statement that decides',
    async () => {
      const document = { statements: [{ effect: 'deny', actions: ['publish'], topics: ['telemetry/${device.id}/raw/#'] }] };
      await send('PUT', '/policies/no-raw', { document });
      await send('POST', '/policies/no-raw/targets', { kind: 'group', id: '/acme' });
      await visit('/devices/kiel-2?tab=access', async (page) => {
        await signIn(page);
        await page.getByLabel('Topic').fill('telemetry/kiel-2/raw/1');
        await page.getByRole('button', { name: 'Explain' }).click();
        const deciding = page.getByTestId('deciding-statement');
        await deciding.getByText('Statement 1 of policy no-raw denies').waitFor();
        await deciding.getByText('"topics": ["telemetry/${device.id}/raw/#"]').waitFor();
        expect(await page.getByTestId('verdict').getAttribute('data-allowed')).toBe('false');
      });
    },
    TIMEOUT_MS,
  );

  it(
    'attempts to enrol show step by step and by what they came to, and a claim batch is stopped',
    async () => {
      const template = { parameters: { SerialNumber: {} }, device: { id: 'u-${parameters.SerialNumber}', group: '/acme' } };
      await send('PUT', '/provisioning/templates/unit', template);
      await send('POST', '/provisioning/claims', {
        name: 'batch-1',
        template: 'unit',
        maxCount: 5,
        expiresAtMs: Date.now() + 86_400_000,
      });
      const manifest = { method: 'POST', headers: { 'content-type': 'text/csv' }, body: 'serial\nS1\n' };
      expect((await selsyn.fetch('/api/v1/provisioning/templates/unit/manifest', manifest)).ok).toBe(true);
      const expiresAtMs = Date.now() + 86_400_000;
      const made = await send<{ items: { token: string }[] }>('POST', '/provisioning/tokens', {
        template: 'unit',
        maxCount: 5,
        expiresAtMs,
      });
      const token = made.items[0]?.token ?? '';
      expect(await enrol(token, 'S1')).toBeLessThan(300);
      expect(await enrol(token, 'S1')).toBeGreaterThanOrEqual(400);
      expect(await enrol(token, 'X9')).toBeGreaterThanOrEqual(400);
      await eventually(async () =>
        (await selsyn.get<{ items: unknown[] }>('/api/v1/provisioning/attempts')).items.length === 3 ? true : undefined,
      );

      await visit(`/provisioning#key=${ADMIN_KEY}`, async (page) => {
        const attempts = page.locator('[data-attempt]');
        await attempts.nth(2).waitFor();
        await page.getByRole('combobox', { name: 'Outcome' }).selectOption('refused');
        await attempts.nth(1).waitFor({ state: 'detached' });
        await attempts.first().waitFor();
        expect(await attempts.count()).toBe(1);
        expect(await attempts.first().getByRole('listitem').allTextContents()).toContain('serial not in manifest');

        await page.getByRole('button', { name: 'Quarantine' }).click();
        const waiting = page.locator('[data-quarantine="S1"]');
        await waiting.getByRole('button', { name: 'Refuse' }).click();
        await page.getByRole('dialog').getByRole('button', { name: 'Refuse' }).click();
        await page.getByText('Nothing waits for a decision').waitFor();

        await page.getByRole('button', { name: 'Claim batches' }).click();
        await page.locator('[data-claim="batch-1"][data-state="running"]').getByRole('button', { name: 'Stop' }).click();
        await page.getByRole('button', { name: 'Stop it for good' }).click();
        await page.locator('[data-claim="batch-1"][data-state="stopped"]').waitFor();
      });
    },
    TIMEOUT_MS,
  );

  const enrol = async (token: string, serial: string): Promise<number> => {
    const response = await fetch(`${selsyn.url}/api/v1/provision`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ parameters: { SerialNumber: serial } }),
    });
    return response.status;
  };
});
