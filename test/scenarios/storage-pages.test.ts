import { readFileSync } from 'node:fs';
import { connectAsync, type MqttClient } from 'mqtt';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN_KEY, eventually, Selsyn } from '../harness/selsyn.ts';
import { changeForwarder, RefusingTarget } from './forwarder-pages.fixture.ts';
import { browserPath, launchBrowser, PAGES_TIMEOUT_MS, visitPage } from './pages.fixture.ts';

const PASSWORD = 'seven green boats at noon';
const TIMEOUT_MS = PAGES_TIMEOUT_MS;
const DAY_MS = 86_400_000;
const SETTINGS = ['telemetry.sealAfterSec=1', 'archive.target=disk', 'cardinality.maxSeriesPerDevice=12'];

describe.skipIf(browserPath === undefined)(
  'the pages of telemetry as a whole, and its long history on the page of a device',
  () => {
    let selsyn: Selsyn;
    let browser: Browser;
    const clients = new Map<string, MqttClient>();

    const send = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
      const response = await selsyn.fetch(`/api/v1${path}`, {
        method,
        ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      });
      if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
      return (response.status === 204 ? undefined : await response.json()) as T;
    };
    const publish = async (id: string, body: unknown) =>
      await clients.get(id)?.publishAsync(`telemetry/${id}`, JSON.stringify(body), { qos: 1 });
    const visit = async (path: string, work: (page: Page) => Promise<void>) =>
      await visitPage(browser, `${selsyn.url}${path}#key=${ADMIN_KEY}`, work);

    beforeAll(async () => {
      selsyn = await Selsyn.start({ settings: SETTINGS });
      const temperature = { metric: 'temperature', unit: '°C', type: 'number', min: 0, max: 30 };
      await send('POST', '/device-types', { name: 'boiler', telemetry: [temperature] });
      for (const [id, type] of [
        ['kiel-1', 'boiler'],
        ['kiel-2', 'boiler'],
        ['gate-1', undefined],
      ] as const) {
        const draft = { id, group: '/acme', ...(type !== undefined && { type }) };
        const { token } = await send<{ token: string }>('POST', '/devices', draft);
        clients.set(id, await connectAsync(selsyn.mqttUrl, { clientId: id, username: id, password: token, reconnectPeriod: 0 }));
      }
      await send('POST', '/users', { name: 'vera', password: PASSWORD, grants: [{ role: 'viewer', group: '/acme' }] });
      const now = Date.now();
      // Eight years, a point every two weeks, and one peak.
      const points = Array.from({ length: 200 }, (_, n) => ({ ts: now - n * 15 * DAY_MS, temperature: n === 100 ? 29.5 : 20 }));
      await publish('kiel-1', points);
      await publish('kiel-2', { temperature: 12 });
      for (let n = 0; n < 16; n += 1) await publish('gate-1', { [`door_${crypto.randomUUID()}`]: n });
      browser = await launchBrowser();
    }, TIMEOUT_MS);
    afterAll(async () => {
      await browser?.close();
      for (const client of clients.values()) await client.endAsync(true);
      await selsyn[Symbol.asyncDispose]();
    });

    it(
      'everything there is of a device is drawn with its peak; a drag zooms and asks for points',
      async () => {
        await visit('/devices/kiel-1?range=all', async (page) => {
          const asked: URLSearchParams[] = [];
          page.on('request', (request) => {
            const url = new URL(request.url());
            if (url.pathname.endsWith('/devices/kiel-1/telemetry')) asked.push(url.searchParams);
          });
          await page.reload();
          await page.locator('[data-resolution="1d"]').getByText('Drawn of days').waitFor();
          const chart = page.locator('figure[data-chart="temperature"]');
          await chart.getByText('max 29.5').waitFor();
          const place = chart.getByRole('img');
          const box = (await place.boundingBox())!;
          const plot = asked.find((query) => query.has('metrics'))!;
          expect(plot.get('every')).toBe('auto');
          // As wide as the plot, in steps: not as the window.
          expect(Math.abs(Number(plot.get('width')) - box.width)).toBeLessThan(150);

          asked.length = 0;
          await page.mouse.move(box.x + box.width * 0.5, box.y + 60);
          await page.mouse.down();
          await page.mouse.move(box.x + box.width * 0.505, box.y + 60);
          await page.mouse.move(box.x + box.width * 0.53, box.y + 60, { steps: 4 });
          await page.mouse.up();
          await page.locator('[data-resolution="raw"], [data-resolution="1h"]').waitFor();
          const zoomed = asked.find((query) => query.has('metrics'))!;
          const spanMs = Number(zoomed.get('to')) - Number(zoomed.get('from'));
          expect(spanMs).toBeLessThan(100 * DAY_MS);
          expect(new URL(page.url()).searchParams.get('from')).not.toBeNull();
          await page.getByRole('button', { name: 'Everything' }).click();
          await page.locator('[data-resolution="1d"]').waitFor();
        });
      },
      TIMEOUT_MS,
    );

    it(
      'a value out of range is flagged the moment it comes, with its range, and is counted',
      async () => {
        await visit('/devices/kiel-2', async (page) => {
          const tile = page.locator('[data-metric="temperature"]');
          await tile.getByText('°C').waitFor();
          expect(await page.getByTestId('out-of-range').count()).toBe(0);
          // The live feed has begun: what it brings has no mark.
          await page.locator('[data-testid="live-indicator"][data-phase="open"]').waitFor();
          await publish('kiel-2', { temperature: 71 });
          await tile.getByTestId('out-of-range').waitFor();
          expect(await tile.getByTestId('out-of-range').getAttribute('title')).toBe('It should be 0 … 30 °C');
          await publish('kiel-2', { temperature: 21 });
          await tile.getByTestId('out-of-range').waitFor({ state: 'detached' });
          await eventually(async () => (await send<{ items: unknown[] }>('GET', '/telemetry-quality?device=kiel-2')).items[0]);
          await page.reload();
          await page.locator('[data-quality="temperature"][data-kind="out-of-range"]').getByText('71').waitFor();
        });
      },
      TIMEOUT_MS,
    );

    it(
      'storage shows what takes how much; a policy is tried, added, changed and removed',
      async () => {
        await eventually(async () => {
          const { levels } = await send<{ levels: { raw: { files: number } } }>('GET', '/storage');
          return levels.raw.files >= 200 || undefined;
        });
        await visit('/telemetry', async (page) => {
          await page.getByRole('link', { name: 'Storage' }).click();
          await page.locator('[data-testid="volume"] strong').first().waitFor();
          expect(await page.locator('[data-part="raw"] td').nth(2).textContent()).toMatch(/^2\d\d$/);
          await page.locator('[data-part="log"]').getByText('Log').waitFor();
          await page.getByTestId('forecast').getByText('The archive on this disk has').waitFor();

          await page.getByRole('button', { name: 'What would go now' }).click();
          await page
            .getByTestId('plan')
            .getByText(/would be free|Nothing would go/)
            .waitFor();
          await page.getByRole('button', { name: 'Add a policy' }).click();
          const dialog = page.getByRole('dialog');
          await dialog.getByLabel('Name').fill('hot-short');
          await dialog.getByRole('button', { name: 'Save' }).click();
          await dialog.getByText('one of them at least').waitFor();
          await dialog.getByLabel('Metric (* for any characters)').fill('temp*');
          await dialog.getByLabel('Points').fill('2');
          await dialog.getByLabel('Days').fill('for ever');
          await dialog.getByRole('button', { name: 'What would go' }).click();
          const plan = dialog.getByTestId('plan');
          await plan.locator('[data-step="raw"]').first().waitFor();
          await dialog.getByRole('button', { name: 'Save' }).click();
          const policy = page.locator('[data-policy="hot-short"]');
          await policy.getByText('metric temp*').waitFor();
          expect(await policy.locator('td').allTextContents()).toEqual(expect.arrayContaining(['2 d', 'for ever']));

          await policy.getByRole('button', { name: 'Edit hot-short' }).click();
          await dialog.getByLabel('Points').fill('2 y');
          await dialog.getByRole('button', { name: 'Save' }).click();
          await policy.getByText('731 d').or(policy.getByText('2 y')).waitFor();
          await policy.getByRole('button', { name: 'Remove hot-short' }).click();
          await page.getByRole('button', { name: 'Remove it' }).click();
          await policy.waitFor({ state: 'detached' });
        });
      },
      TIMEOUT_MS,
    );

    it(
      'a query is run, its fault is shown where it is, and its rows are saved',
      async () => {
        await visit('/telemetry/sql', async (page) => {
          const editor = page.getByLabel('Query');
          await editor.fill('SELECT metric, count(*) AS points,\n  max(valu) AS most\nFROM telemetry');
          await editor.press('Control+Enter');
          const place = page.getByTestId('sql-place');
          await place.waitFor();
          expect(await place.textContent()).toBe(`  max(valu) AS most\n${' '.repeat(6)}^`);
          await place.click();
          const cursor = await editor.evaluate((element) => Number(Reflect.get(element, 'selectionStart')));
          expect(await editor.inputValue().then((text) => text.slice(cursor, cursor + 4))).toBe('valu');

          const sql =
            "SELECT device, count(*) AS points, max(value) AS most FROM telemetry WHERE device = 'kiel-1' GROUP BY device";
          await editor.fill(sql);
          await page.getByRole('button', { name: 'Run' }).click();
          const result = page.getByTestId('sql-result');
          await result.waitFor();
          expect(await result.locator('tbody td').allTextContents()).toEqual(['kiel-1', '200', '29.5']);
          await result.getByText('Took').waitFor();
          expect(new URL(page.url()).searchParams.get('q')).toBe(sql);

          const saved = page.waitForEvent('download');
          await page.getByRole('button', { name: 'Download as CSV' }).click();
          const file = await saved;
          expect(file.suggestedFilename()).toBe('result.csv');
          expect(
            readFileSync(await file.path(), 'utf8')
              .trim()
              .split(/\r?\n/),
          ).toEqual(['device,points,most', 'kiel-1,200,29.5']);
          const parquet = page.waitForEvent('download');
          await page.getByRole('button', { name: 'Download as Parquet' }).click();
          const bytes = readFileSync(await (await parquet).path());
          expect(bytes.subarray(0, 4).toString()).toBe('PAR1');

          await editor.fill('SELECT a.time FROM telemetry a, telemetry b');
          await page.getByRole('button', { name: 'Run' }).click();
          await page.locator('[data-testid="sql-result"][data-rows="1000"]').getByText('the first ones').waitFor();
        });
      },
      TIMEOUT_MS,
    );

    it(
      'a forwarder is added, followed, changed, paused and resumed; what its target refused is told and sent again',
      async () => {
        await using target = await RefusingTarget.start();
        await visit('/telemetry/forwarders', async (page) => {
          await page.getByText('Nobody gets copies yet').waitFor();
          await page.getByRole('button', { name: 'Add a forwarder' }).click();
          const dialog = page.getByRole('dialog');
          await dialog.getByLabel('Id', { exact: true }).fill('to-erp');
          for (const kind of ['kafka', 'mqtt', 'influxdb', 'webhook']) {
            await dialog.getByLabel('To', { exact: true }).selectOption(kind);
            await dialog.getByRole('button', { name: 'Add' }).click();
            await dialog.getByText('It is needed.').first().waitFor();
          }
          await dialog.getByLabel('URL').fill(`${target.url}/in`);
          await dialog.getByLabel('Only of types (optional)').fill('boiler');
          await dialog.getByLabel('Authorization header (optional)').fill('Bearer the-secret');
          await dialog.getByRole('button', { name: 'Add' }).click();
          const row = page.locator('[data-forwarder="to-erp"]');
          await row.getByText(target.url).waitFor();

          await publish('kiel-2', { temperature: 22 });
          await row.getByText('1 refused').waitFor();
          await page.locator('[data-forwarder="to-erp"][data-state="refusing"]').getByText('target refuses records').waitFor();
          await row.getByText('answered with the status 400: no such tenant').waitFor();
          await row.getByRole('button', { name: 'to-erp', exact: true }).click();
          const refused = page.getByTestId('refused');
          await refused.locator('[data-refused]').getByText('{"temperature":22}').waitFor();
          target.status = 204;
          await refused.getByRole('button', { name: 'Send them again' }).click();
          await refused.waitFor({ state: 'detached' });
          await row.getByText('1 refused').waitFor({ state: 'detached' });

          await changeForwarder(page, target);
          await publish('kiel-2', { temperature: 22.5 });
          await row.locator('[data-testid="sent"]', { hasText: /^1/ }).waitFor();
          expect(new Set(target.authorizations)).toEqual(new Set(['Bearer the-secret']));
          expect(await page.content()).not.toContain('the-secret');

          await page.getByRole('button', { name: 'Pause to-erp' }).click();
          await page.locator('[data-forwarder="to-erp"][data-state="paused"]').waitFor();
          await publish('kiel-2', { temperature: 23 });
          await row.getByText('1 records').waitFor();
          await page.getByRole('button', { name: 'Resume to-erp' }).click();
          await row.locator('td', { hasText: 'none' }).waitFor();
          await page.getByRole('button', { name: 'Remove…' }).click();
          await page.getByRole('button', { name: 'Remove it' }).click();
          await row.waitFor({ state: 'detached' });
        });
      },
      TIMEOUT_MS,
    );

    it(
      'a decoder is tried before it is declared: its points, or why there are none',
      async () => {
        await visit('/telemetry/decoders', async (page) => {
          await page.locator('[data-decoder="senml"]').waitFor();
          await page.getByRole('button', { name: 'New decoder' }).click();
          const message = page.getByRole('textbox', { name: 'Message' });
          const trial = page.getByTestId('trial');
          await message.fill('1388 0ce4');
          await page.getByLabel('Units and ranges of').selectOption('boiler');
          await page.getByRole('button', { name: 'Try it' }).click();
          await trial.locator('[data-point="temperature"]').getByText('50 °C').waitFor();
          await trial.locator('[data-point="temperature"]').getByText('out of range').waitFor();

          await message.fill('1388');
          await page.getByRole('button', { name: 'Try it' }).click();
          await page.locator('[data-testid="trial"][data-ok="false"]').getByText('2 bytes').waitFor();
          await message.fill('no hex');
          await page.getByRole('button', { name: 'Try it' }).click();
          await page.getByText('Pairs of hexadecimal digits').waitFor();
          await page.getByLabel('Written as').selectOption('base64');
          await message.fill('CS8M5A==');
          await page.getByRole('button', { name: 'Try it' }).click();
          await trial.locator('[data-point="battery"]').getByText('3,300').waitFor();

          await page.getByLabel('Name').fill('probe-v2');
          await page.getByRole('button', { name: 'Add', exact: true }).click();
          await page.locator('[data-decoder="probe-v2"][data-shown="true"]').waitFor();
          const format = page.getByRole('textbox', { name: 'Format' });
          await format.fill((await format.inputValue()).replace('"battery"', '"volts"'));
          await page.getByRole('button', { name: 'Save' }).click();
          await page.getByRole('button', { name: 'Undo' }).waitFor({ state: 'detached' });
          expect(JSON.stringify(await send('GET', '/decoders/probe-v2'))).toContain('"volts"');
          await page.getByRole('button', { name: 'Remove…' }).click();
          await page.getByRole('button', { name: 'Remove it' }).click();
          await page.locator('[data-decoder="probe-v2"]').waitFor({ state: 'detached' });
        });
      },
      TIMEOUT_MS,
    );

    it(
      'names that look like ids are told, with the device that sends them and what was refused',
      async () => {
        await visit('/telemetry/cardinality', async (page) => {
          const suspect = page.locator('[data-suspect="door_{uuid}"]');
          await suspect.getByRole('link', { name: 'gate-1' }).waitFor();
          await suspect.getByText('a UUID').waitFor();
          await page.locator('[data-refused="gate-1"]').getByText('of the device').waitFor();
          await page.locator('[data-device="gate-1"]').first().getByText('of 12').waitFor();
        });
      },
      TIMEOUT_MS,
    );

    it(
      'a device is held, cannot be erased, is released and erased; the archive tells how it gets on',
      async () => {
        await visit('/telemetry/storage', async (page) => {
          const dialog = page.getByRole('dialog');
          await page.getByRole('button', { name: 'Hold', exact: true }).click();
          await dialog.getByLabel('Ids, with spaces between').fill('gate-1');
          await dialog.getByLabel('For whom, and why').fill('case 4711');
          await dialog.getByRole('button', { name: 'Hold it' }).click();
          const hold = page.locator('[data-hold]').filter({ hasText: 'gate-1' });
          await hold.getByText('case 4711').waitFor();

          await page.getByRole('button', { name: 'Erase telemetry…' }).click();
          await dialog.getByLabel('Id of the device').fill('gate-1');
          await dialog.getByLabel('The id once more').fill('gate-1');
          await dialog.getByRole('button', { name: 'Erase it' }).click();
          await dialog.getByText('hold.active').waitFor();
          await dialog.getByRole('button', { name: 'Cancel' }).click();

          await hold.getByRole('button', { name: 'Release gate-1' }).click();
          await page.getByRole('button', { name: 'Release it' }).click();
          await hold.waitFor({ state: 'detached' });
          await page.getByLabel('Also released ones').check();
          await page.locator('[data-hold][data-released="true"]').waitFor();

          await page.getByRole('button', { name: 'Erase telemetry…' }).click();
          await dialog.getByLabel('Id of the device').fill('gate-1');
          await dialog.getByLabel('The id once more').fill('gate-1');
          await dialog.getByRole('button', { name: 'Erase it' }).click();
          await page.locator('[data-erasure="gate-1"][data-state="done"]').waitFor();

          await page.getByTestId('archive').getByText('On disk').waitFor();
          await page.getByRole('button', { name: 'Archive now' }).click();
          await page.getByTestId('archive').getByText('Stored last').waitFor();
          expect(await page.getByTestId('problem').count()).toBe(0);
        });
      },
      TIMEOUT_MS,
    );

    it(
      'who may only look, and only in a group, is offered nothing else',
      async () => {
        await visitPage(browser, `${selsyn.url}/telemetry/storage`, async (page) => {
          await page.getByLabel('User name').fill('vera');
          await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
          await page.getByRole('button', { name: 'Sign in', exact: true }).click();
          const tabs = page.getByRole('navigation', { name: 'About telemetry' });
          await tabs.waitFor();
          expect(await tabs.getByRole('link').allTextContents()).toEqual(['SQL', 'Storage', 'Decoders']);
          await page.getByRole('heading', { name: 'Legal holds' }).waitFor();
          for (const name of ['Disk', 'Retention', 'Archive', 'Erasures'])
            expect(await page.getByRole('heading', { name, exact: true }).count()).toBe(0);
          expect(await page.getByRole('button', { name: 'Hold', exact: true }).count()).toBe(0);
          await page.goto(`${selsyn.url}/telemetry/forwarders`);
          await page.getByText('This takes the permission forwarders:read at /').waitFor();
          await page.goto(`${selsyn.url}/telemetry/decoders?name=json`);
          await page.getByRole('textbox', { name: 'Message' }).waitFor();
          expect(await page.getByRole('button', { name: 'New decoder' }).count()).toBe(0);
          await page.getByRole('textbox', { name: 'Message' }).fill('7b2261223a317d');
          await page.getByRole('button', { name: 'Try it' }).click();
          await page.locator('[data-point="a"]').waitFor();
        });
      },
      TIMEOUT_MS,
    );
  },
);
