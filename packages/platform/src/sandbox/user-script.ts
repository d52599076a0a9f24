/** JavaScript of a user: its text, and the function of it that is called. */
export interface UserScript {
  readonly source: string;
  /** A name that the program chose, not the user: it comes into code. */
  readonly functionName: string;
}
