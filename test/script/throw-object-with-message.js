// expect: error script Custom
// message: as an error has
throw { name: "Custom", message: "as an error has" };
