/** The little of `pg` that the benches use; the package has no types of its own. */
declare module 'pg' {
  export interface ClientOptions {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly database: string;
  }
  export interface Query {
    /** A name makes it a prepared statement. */
    readonly name?: string;
    readonly text: string;
    readonly values?: readonly unknown[];
    readonly rowMode?: 'array';
  }
  export class Client {
    constructor(options: ClientOptions);
    connect(): Promise<void>;
    end(): Promise<void>;
    query(query: Query | string): Promise<{ readonly rows: readonly (readonly unknown[])[] }>;
  }
  const pg: { readonly Client: typeof Client };
  export default pg;
}
