import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';

/** A target that answers with a status of the test. */
export class RefusingTarget implements AsyncDisposable {
  status = 400;
  /** The header of each request. */
  readonly authorizations: (string | undefined)[] = [];
  readonly #server: Server = createServer((request, response) => {
    this.authorizations.push(request.headers.authorization);
    request.resume().once('end', () => response.writeHead(this.status).end('no such tenant'));
  });

  static async start(): Promise<RefusingTarget> {
    const target = new RefusingTarget();
    await new Promise<void>((resolve) => target.#server.listen(0, '127.0.0.1', resolve));
    return target;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Changes what is open of the forwarder `to-erp`: its secret is not shown, kept, and asked for when it would go elsewhere. */
export async function changeForwarder(page: Page, { url, port }: RefusingTarget): Promise<void> {
  const dialog = page.getByRole('dialog');
  await page.getByRole('button', { name: 'Change…' }).click();
  expect(await dialog.getByLabel('URL').inputValue()).toBe(`${url}/in`);
  const authorization = dialog.getByLabel('Authorization header (optional)', { exact: true });
  expect(await authorization.inputValue()).toBe('');
  expect(await authorization.getAttribute('placeholder')).toBe('kept as it is');
  await dialog.getByLabel('Description (optional)').fill('for the ERP');
  await dialog.getByText('More').click();
  await dialog.getByLabel('Only ids that begin with').fill('kiel-');
  await dialog.getByLabel('URL').fill(`http://localhost:${port}/in`);
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.getByText('It goes to another place: give it again.').waitFor();
  await dialog.getByLabel('URL').fill(`${url}/v2`);
  await dialog.getByRole('button', { name: 'Save' }).click();
  const row = page.locator('[data-forwarder="to-erp"]');
  await row.getByText('for the ERP').waitFor();
  await row.getByText(`${url}/v2`).waitFor();
  await page.getByText('ids that begin with kiel-').waitFor();
}
