import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { graphqlSchemaText } from '../packages/platform/src/api/graphql/schema-text.ts';

/** docs/reference/graphql.graphql, made from the schema. `node tools/graphql-reference.ts` writes it; a test compares. */
if (process.argv[1] === import.meta.filename) {
  writeFileSync(join(import.meta.dirname, '..', 'docs', 'reference', 'graphql.graphql'), graphqlSchemaText());
}

export { graphqlSchemaText as graphqlReference };
