import { connectAsync, type MqttClient } from 'mqtt';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN_KEY, eventually, Selsyn } from '../harness/selsyn.ts';
import { browserPath, launchBrowser, PAGES_TIMEOUT_MS, visitPage } from './pages.fixture.ts';

const PASSWORD = 'seven green boats at noon';
const TIMEOUT_MS = PAGES_TIMEOUT_MS;

interface ShadowBody {
  readonly version: number;
  readonly desired: Readonly<Record<string, unknown>>;
}

describe.skipIf(browserPath === undefined)('the pages of shadows, commands, jobs and presence', () => {
  let selsyn: Selsyn;
  let browser: Browser;
  const tokens = new Map<string, string>();
  const clients: MqttClient[] = [];

  const send = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const response = await selsyn.fetch(`/api/v1${path}`, {
      method,
      ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (response.status === 204 ? undefined : await response.json()) as T;
  };

  beforeAll(async () => {
    selsyn = await Selsyn.start({ settings: ['presence.offlineAfterSec=1'] });
    await send('POST', '/device-types', { name: 'boiler' });
    for (const [id, group] of [
      ['kiel-1', '/acme/kiel'],
      ['kiel-2', '/acme/kiel'],
      ['kiel-3', '/acme/kiel'],
      ['north-1', '/north'],
    ] as const) {
      const { token } = await send<{ token: string }>('POST', '/devices', { id, group, type: 'boiler' });
      tokens.set(id, token);
    }
    await send('POST', '/users', { name: 'vera', password: PASSWORD, grants: [{ role: 'viewer', group: '/acme' }] });
    browser = await launchBrowser();
  }, TIMEOUT_MS);
  afterAll(async () => {
    await browser?.close();
    await selsyn[Symbol.asyncDispose]();
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.endAsync(true);
  });

  const connect = async (id: string): Promise<MqttClient> => {
    const client = await connectAsync(selsyn.mqttUrl, {
      clientId: id,
      username: id,
      password: tokens.get(id) ?? '',
      reconnectPeriod: 0,
    });
    clients.push(client);
    return client;
  };
  const publish = async (client: MqttClient, topic: string, body: unknown) =>
    await client.publishAsync(topic, JSON.stringify(body), { qos: 1 });
  const openAlerts = async (id: string): Promise<number> =>
    (await selsyn.get<{ items: unknown[] }>(`/api/v1/presence/alerts?state=open&device=${id}`)).items.length;
  const visit = async (path: string, work: (page: Page) => Promise<void>) =>
    await visitPage(browser, `${selsyn.url}${path}#key=${ADMIN_KEY}`, work);

  it(
    'a shadow shows what is desired beside what is reported, from where it is inherited, and follows the device',
    async () => {
      await send('PUT', '/shadow-defaults', { target: 'type:boiler', desired: { everySec: 60 } });
      const device = await connect('kiel-1');
      const deltas: string[] = [];
      device.on('message', (_topic, payload) => deltas.push(payload.toString()));
      await device.subscribeAsync('$aws/things/kiel-1/shadow/update/delta', { qos: 1 });
      await publish(device, '$aws/things/kiel-1/shadow/update', { state: { reported: { mode: 'eco' } } });

      await visit('/devices/kiel-1?tab=shadow', async (page) => {
        const every = page.locator('[data-field="everySec"]');
        await every.getByText('inherited from type boiler').waitFor();
        await page.locator('[data-field="mode"][data-differs="false"]').waitFor();

        await page.getByRole('button', { name: 'Set mode' }).click();
        await page.getByLabel('Desired value').fill('on');
        await page.getByText('The device is asked for the text "on"').waitFor();
        // By the keyboard alone.
        await page.getByLabel('Desired value').press('Enter');
        await page.locator('[data-field="mode"][data-differs="true"]').waitFor();
        await eventually(async () => deltas.some((delta) => delta.includes('"mode":"on"')) || undefined);

        await publish(device, '$aws/things/kiel-1/shadow/update', { state: { reported: { mode: 'on', everySec: 60 } } });
        await page.getByTestId('shadow-state').getByText('the device is as desired').waitFor();
        const newest = page.getByRole('table', { name: 'Changes of this shadow' }).locator('tbody tr').first();
        await newest.getByText('kiel-1').waitFor();

        await page.getByRole('button', { name: 'Another shadow…' }).click();
        await page.getByLabel('Name', { exact: true }).fill('config');
        await page.getByRole('button', { name: 'Go on' }).click();
        await page.getByText('There is no shadow config yet').waitFor();
        await page.getByRole('button', { name: 'Edit as JSON' }).click();
        await page.getByRole('textbox', { name: 'Desired' }).fill('{"apn": {"name": "iot"}}');
        await page.getByRole('button', { name: 'Save' }).click();
        await page.locator('[data-field="apn.name"]').getByText('not reported').waitFor();
      });
      expect(await selsyn.get<ShadowBody>('/api/v1/devices/kiel-1/shadows/config')).toMatchObject({
        desired: { apn: { name: 'iot' } },
      });
    },
    TIMEOUT_MS,
  );

  it(
    'two who change the same field are told of each other, and a report in between disturbs nobody',
    async () => {
      await send('PUT', '/devices/kiel-2/shadow', { desired: { mode: 'eco', fan: 1 }, reported: { uptime: 1 } });
      const shadow = async () => await selsyn.get<ShadowBody>('/api/v1/devices/kiel-2/shadow');
      await visit('/devices/kiel-2?tab=shadow', async (page) => {
        const value = page.getByLabel('Desired value');
        await page.getByRole('button', { name: 'Change mode' }).click();
        await value.fill('on');
        await send('PATCH', '/devices/kiel-2/shadow', { reported: { uptime: 2 }, desired: { fan: 2 } });
        await value.press('Enter');
        await value.waitFor({ state: 'detached' });
        expect((await shadow()).desired).toEqual({ mode: 'on', fan: 2 });

        await page.getByRole('button', { name: 'Change mode' }).click();
        await value.fill('off');
        await send('PATCH', '/devices/kiel-2/shadow', { desired: { mode: 'theirs' } });
        await value.press('Enter');
        const conflict = page.getByTestId('conflict');
        await conflict.getByText('Somebody else changed this meanwhile').waitFor();
        const field = conflict.locator('[data-conflict="mode"]');
        expect(await field.locator('dd').allTextContents()).toEqual(['"on"', '"theirs"', '"off"']);
        expect((await shadow()).desired['mode']).toBe('theirs');
        await conflict.getByRole('button', { name: 'Write mine over it' }).click();
        await value.waitFor({ state: 'detached' });
        expect((await shadow()).desired['mode']).toBe('off');
      });
    },
    TIMEOUT_MS,
  );

  it(
    'a command is followed to its answer, and one that waits for its device is cancelled',
    async () => {
      const device = await connect('kiel-1');
      device.on('message', (topic) => {
        const id = /^devices\/kiel-1\/commands\/([^/]+)$/.exec(topic)?.[1];
        if (id !== undefined) void publish(device, `devices/kiel-1/commands/${id}/answer`, { opened: 3 });
      });
      await device.subscribeAsync('devices/kiel-1/commands/+', { qos: 1 });
      await visit('/devices/kiel-1?tab=commands', async (page) => {
        await page.getByLabel('Command', { exact: true }).fill('open-valve');
        await page.getByLabel('Payload (optional)').fill('{"valve": 3');
        await page.getByRole('button', { name: 'Send' }).click();
        await page.getByLabel('Payload (optional)').and(page.locator('[aria-invalid="true"]')).waitFor();
        await page.getByLabel('Payload (optional)').fill('{"valve": 3}');
        await page.getByRole('button', { name: 'Send' }).click();
        const row = page.locator('[data-command][data-state="succeeded"]');
        await row.getByText('{"opened":3}').waitFor();
        await row.getByRole('button', { name: 'open-valve' }).click();
        const states = page.getByRole('list', { name: 'States' }).getByRole('listitem');
        await states.nth(3).waitFor();
        expect(await states.locator('strong').allTextContents()).toEqual(['queued', 'sent', 'delivered', 'succeeded']);
      });
      await visit('/devices/kiel-3?tab=commands', async (page) => {
        await page.getByText('No command yet').waitFor();
        await page.getByLabel('Command', { exact: true }).fill('reboot');
        await page.getByLabel('Send it').selectOption('queue');
        await page.getByRole('button', { name: 'Send' }).click();
        await page.locator('[data-state="queued"]').getByText('Waits for the device to come back').waitFor();
        await page.getByRole('button', { name: 'Cancel reboot' }).click();
        await page.getByRole('button', { name: 'Cancel the command' }).click();
        await page.locator('[data-command][data-state="cancelled"]').waitFor();
      });
    },
    TIMEOUT_MS,
  );

  it(
    'a job is made, followed device by device, cancelled and deleted',
    async () => {
      const device = await connect('kiel-1');
      await device.subscribeAsync('$aws/things/kiel-1/jobs/notify', { qos: 1 });
      const offered = new Promise<void>((resolve) => device.once('message', () => resolve()));
      await visit('/jobs', async (page) => {
        await page.getByText('No job yet').waitFor();
        await page.getByRole('button', { name: 'Create job' }).click();
        await page.getByLabel('Id', { exact: true }).fill('update-7');
        await page.getByLabel('Devices in it and everywhere below').fill('/acme');
        await page.getByTestId('target-count').getByText('3 devices').waitFor();
        await page.getByRole('textbox', { name: 'Document' }).fill('{"operation": "update"}');
        await page.getByRole('button', { name: 'Create', exact: true }).click();

        await page.getByRole('heading', { name: 'update-7' }).waitFor();
        await page.locator('[data-count="QUEUED"]').getByText('3').waitFor();
        await offered;
        const progress = { status: 'IN_PROGRESS', statusDetails: { step: 'download' } };
        await publish(device, '$aws/things/kiel-1/jobs/update-7/update', progress);
        await page.locator('[data-execution="kiel-1"]').getByText('step: download').waitFor();
        await page.locator('[data-count="IN_PROGRESS"]').click();
        await page.locator('[data-execution="kiel-2"]').waitFor({ state: 'detached' });
        await page.locator('[data-execution="kiel-1"]').waitFor();

        await page.getByLabel('Find by the id of a device').fill('kiel-3');
        await page.locator('[data-execution="kiel-3"][data-status="QUEUED"]').waitFor();
        await page.getByLabel('Find by the id of a device').fill('north-1');
        await page.getByText('north-1 has not been given it').waitFor();

        await page.getByRole('button', { name: 'Cancel…' }).click();
        await page.getByLabel('Why (optional)').fill('wrong file');
        await page.getByLabel('Also on devices that are in the middle of it (1 now)').check();
        await page.getByRole('button', { name: 'Cancel the job' }).click();
        await page.locator('[data-testid="job-status"][data-status="CANCELED"]').waitFor();
        await page.getByTestId('job-progress').getByText('wrong file').waitFor();
        await page.locator('[data-count="CANCELED"]').getByText('3').waitFor();

        await page.goto(`${selsyn.url}/devices/kiel-1?tab=jobs`);
        const row = page.locator('[data-execution="update-7"][data-status="CANCELED"]');
        await row.getByRole('button', { name: 'update-7' }).click();
        const happened = page.getByRole('list', { name: 'What has happened' }).locator('strong');
        await happened.nth(2).waitFor();
        expect(await happened.allTextContents()).toEqual(['queued', 'in progress', 'cancelled']);

        await page.getByRole('link', { name: 'The job update-7' }).click();
        await page.getByRole('button', { name: 'Delete…' }).click();
        await page.getByRole('button', { name: 'Delete it' }).click();
        await page.getByText('No job yet').waitFor();
      });
    },
    TIMEOUT_MS,
  );

  it(
    'a device goes through a job while its page is open',
    async () => {
      const device = await connect('kiel-2');
      await visit('/devices/kiel-2?tab=jobs', async (page) => {
        await page.getByText('No job yet').waitFor();
        await send('POST', '/jobs', { id: 'one', targets: ['device:kiel-2'], document: { operation: 'blink' } });
        await page.locator('[data-execution="one"][data-status="QUEUED"]').waitFor();
        await publish(device, '$aws/things/kiel-2/jobs/one/update', { status: 'SUCCEEDED', statusDetails: { blinked: '9' } });
        await page.locator('[data-execution="one"][data-status="SUCCEEDED"]').getByText('blinked: 9').waitFor();
      });
    },
    TIMEOUT_MS,
  );

  it(
    'many devices are set at once with progress and failures, what is slow is cancelled, and a default reaches all of a group',
    async () => {
      await send('POST', '/shadow-updates', { target: ['north-1'], desired: { mode: 'on' }, expectedVersion: 700 });
      // At one a second they take longer than a test may.
      await send('POST', '/device-types', { name: 'tap' });
      const { id } = await send<{ id: string }>('POST', '/device-imports', { format: 'csv' });
      const rows = await selsyn.fetch(`/api/v1/device-imports/${id}/rows?offset=0&last=true`, {
        method: 'POST',
        headers: { 'content-type': 'text/csv' },
        body: `id,group,type\n${Array.from({ length: 400 }, (_, n) => `tap-${n},/taps,tap\n`).join('')}`,
      });
      expect(rows.status).toBe(200);
      await visit('/jobs?tab=settings', async (page) => {
        const failed = page.locator('[data-update]').filter({ hasText: '1 by their ids' });
        await failed.getByText('1 failed').waitFor();
        await failed.getByRole('button', { name: '1 by their ids' }).click();
        await page.locator('[data-failure="north-1"]').getByText('shadow.conflict').waitFor();

        await page.getByRole('button', { name: 'Set for many' }).click();
        const dialog = page.getByRole('dialog');
        await dialog.getByRole('combobox', { name: 'Devices of' }).selectOption('filter');
        await dialog.getByLabel('Text of the filter language').fill('type = tapp');
        await dialog.getByTestId('target-count').getByText('not valid at character 8').waitFor();
        await dialog.getByLabel('Text of the filter language').fill('type = "tap"');
        await dialog.getByTestId('target-count').getByText('400 devices').waitFor();
        await dialog.getByRole('textbox', { name: 'Desired' }).fill('{"fan": 7}');
        await dialog.getByLabel('Devices a second').fill('1');
        await dialog.getByRole('button', { name: 'Begin' }).click();
        const slow = page.locator('[data-update][data-state="running"]').filter({ hasText: 'filter type' });
        await slow.getByRole('button', { name: 'Cancel' }).click();
        await page.getByRole('button', { name: 'Cancel it' }).click();
        await page.locator('[data-update][data-state="cancelled"]').getByText('left out').waitFor();

        await page.getByRole('button', { name: 'Defaults' }).click();
        await page.getByRole('button', { name: 'Set a default' }).click();
        await dialog.getByLabel('Devices in it and everywhere below').fill('/north');
        await dialog.getByRole('textbox', { name: 'Desired' }).fill('{"everySec": 5}');
        await dialog.getByRole('button', { name: 'Save' }).click();
        await page.locator('[data-default="group:/north"]').waitFor();
        await page.goto(`${selsyn.url}/devices/north-1?tab=shadow`);
        await page.locator('[data-field="everySec"]').getByText('inherited from group /north').waitFor();
      });
    },
    TIMEOUT_MS,
  );

  it(
    'a device that is gone for too long is missed, with why, until it is back',
    async () => {
      const device = await connect('kiel-3');
      device.stream.destroy();
      const isMissed = async () => (await openAlerts('kiel-3')) > 0 || undefined;
      await eventually(isMissed);
      await visit('/', async (page) => {
        const missed = page.getByTestId('missed');
        await missed.getByRole('button').first().click();
        await missed.locator('[data-missed="kiel-3"]').getByText('The connection broke without a goodbye').waitFor();
        await missed.getByRole('link', { name: 'kiel-3' }).click();
        await page.getByTestId('device-missed').getByText('It is missed').waitFor();
        await page.getByText('Why it is gone').waitFor();
        await connect('kiel-3');
        await eventually(async () => (await openAlerts('kiel-3')) === 0 || undefined);
        await page.reload();
        await page.getByText('Connected since').waitFor();
        expect(await page.getByTestId('device-missed').count()).toBe(0);
      });
    },
    TIMEOUT_MS,
  );

  it(
    'who may only look is offered nothing that they may not do',
    async () => {
      await visitPage(browser, `${selsyn.url}/devices/kiel-2?tab=shadow`, async (page) => {
        await page.getByLabel('User name').fill('vera');
        await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
        await page.getByRole('button', { name: 'Sign in', exact: true }).click();
        await page.locator('[data-field="mode"]').waitFor();
        for (const name of ['Set a field', 'Edit as JSON', 'Another shadow…', 'Change mode'])
          expect(await page.getByRole('button', { name }).count()).toBe(0);
        await page.goto(`${selsyn.url}/devices/kiel-1?tab=commands`);
        await page.locator('[data-command]').first().waitFor();
        expect(await page.getByRole('form', { name: 'Give a command' }).count()).toBe(0);
        await page.goto(`${selsyn.url}/jobs`);
        await page.getByRole('table', { name: 'Jobs' }).or(page.getByTestId('empty')).waitFor();
        expect(await page.getByRole('button', { name: 'Create job' }).count()).toBe(0);
        await page.getByRole('button', { name: 'Bulk settings' }).click();
        await page.getByRole('heading', { name: 'Jobs' }).waitFor();
        expect(await page.getByRole('button', { name: 'Set for many' }).count()).toBe(0);
      });
    },
    TIMEOUT_MS,
  );
});
