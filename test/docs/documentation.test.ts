import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { configReference } from '../../tools/config-reference.ts';
import { graphqlReference } from '../../tools/graphql-reference.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

function foldersBelow(path: string): string[] {
  return readdirSync(join(ROOT, path))
    .filter((name) => statSync(join(ROOT, path, name)).isDirectory())
    .map((name) => `${path}/${name}`);
}

describe('the documentation', () => {
  it('names in ARCHITECTURE.md every folder that is there, and no other', () => {
    const there = [
      ...foldersBelow('packages/platform/src'),
      ...foldersBelow('packages/wire/src'),
      'packages/cli/src',
      'packages/dashboard/src',
      'test',
      'bench',
      'docs',
      'tools',
    ];
    const named = [...read('ARCHITECTURE.md').matchAll(/^\| `([a-z/-]+)` \|/gm)].map(([, folder]) => folder);
    expect(new Set(named)).toEqual(new Set(there));
  });

  it('has a configuration reference that is what the schema says (node tools/config-reference.ts)', () => {
    expect(read('docs/reference/configuration.md')).toBe(configReference());
  });

  it('has the schema of GraphQL as it is served (node tools/graphql-reference.ts)', () => {
    expect(read('docs/reference/graphql.graphql')).toBe(graphqlReference());
  });

  it('has no link to a file that is not there', () => {
    const pages = [
      'README.md',
      'ARCHITECTURE.md',
      'CONTRIBUTING.md',
      'CHANGELOG.md',
      ...['adr', 'guides', 'reference'].flatMap((folder) =>
        readdirSync(join(ROOT, 'docs', folder)).map((name) => `docs/${folder}/${name}`),
      ),
    ];
    const broken = pages
      .filter((page) => page.endsWith('.md'))
      .flatMap((page) =>
        [...read(page).matchAll(/\]\((?!https?:|#)([^)#]+)/g)]
          .map(([, link = '']) => ({ page, link }))
          .filter(({ link }) => !existsSync(join(ROOT, dirname(page), link))),
      );
    expect(broken).toEqual([]);
  });
});
