// Runs the scenario that the command line names, and prints what it gives as JSON.

export const url = process.env.TURNWIRE_URL;
export const model = process.env.TURNWIRE_MODEL;

export const first = "What is the capital of France?";
export const second = "What is it known for?";
export const howMuch = "How much is 19 and 23?";

export async function run(scenarios) {
  const scenario = scenarios[process.argv[2]];
  console.log(JSON.stringify(await scenario()));
}
